"""What any analysis can be held against, for its author: ``pytest --pyargs reportgen.testing`` runs it over every installed one.

``-k NAME`` keeps to one of them. Nothing here knows what an analysis studies: it asks for the contract, for both languages, for
figures that can be read, and for documents.
"""
