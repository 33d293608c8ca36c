#!/usr/bin/env bash
# Makes a report again and says what moved since the baseline. The GitHub action, the workflows and the tests run this script;
# on a desk it does the same.
#
#   scripts/regenerate.sh --study coffee --baseline reports/coffee/baseline --accept
#
#   --study NAME|FILE      a built-in study or a YAML file (coffee)
#   --model MODEL          embedded, a folder, or a name on the hub (as the study says)
#   --languages "vi en"    vi, en, vi-en (all three)
#   --formats "html pdf"   (both)
#   --out DIR              where the report goes (out)
#   --baseline DIR         what to compare with (see `reportgen baseline --help`); made by the first run if it is not there yet
#   --tolerances FILE      how far numbers may move (see `reportgen compare --help`)
#   --fail-on WHAT         number: a verdict changed or a number moved (default); verdict: a verdict changed; never
#   --accept               what changed becomes the baseline (the exit code still says whether anything moved)
#   --bundle DIR           nothing is computed: this bundle is published, if it is the one that the baseline, where one is named, is of
#   --site DIR --to KIND --base-url URL --under DIR --label LABEL     also publish (see `reportgen publish --help`)
#
# What it was is said at the end and in the step's output "state": made (without a baseline), first, unchanged, presentation (nothing
# moved, but settings, title, words or pages are others now), moved.
# Exit codes: 0 nothing moved, or the first run; 1 something of --fail-on moved; 2, 3, 4 as reportgen's own.
# REPORTGEN is the command to run (reportgen). In a GitHub workflow results go to GITHUB_OUTPUT and GITHUB_STEP_SUMMARY.
set -euo pipefail

study=coffee model="" languages="" formats="" out=out baseline="" tolerances="" fail_on=number accept=false
bundle="" site="" to=plain base_url="" under="" label=""
fail() {
    echo "regenerate: $*" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case "$1" in
    --accept) accept=true && shift && continue ;;
    --study | --model | --languages | --formats | --out | --bundle | --baseline | --tolerances | --fail-on | --site | --to | --base-url | --under | --label) ;;
    *) fail "unknown option $1; the head of $0 lists them" ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value"
    name="${1#--}"
    printf -v "${name//-/_}" '%s' "$2"
    shift 2
done
case "$fail_on" in number | verdict | never) ;; *) fail "--fail-on $fail_on: expected number, verdict or never" ;; esac

read -r -a reportgen <<<"${REPORTGEN:-reportgen}"
# Sets an output of the step; nothing on a desk.
output() { [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }
summary() { if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat >>"$GITHUB_STEP_SUMMARY"; else cat >/dev/null; fi; }
# By what a bundle is known; a baseline knows that of the bundle that it is of.
digest() {
    if [ -e "$1/baseline.json" ]; then
        sed -n 's/^"bundle": "\([0-9a-f]*\)",$/\1/p' "$1/baseline.json"
    else
        sha256sum "$1/SHA256SUMS" | cut -d ' ' -f 1
    fi
}

[ -z "$bundle" ] || [ -n "$site" ] || fail "--bundle is published: it needs --site"
code=0 state=unchanged changed=false
bundle_given="$bundle"
if [ -z "$bundle" ]; then
    options=(--out "$out")
    [ -z "$model" ] || options+=(--model "$model")
    for language in $languages; do options+=(--lang "$language"); done
    for format in $formats; do options+=(--format "$format"); done
    log="$(mktemp)"
    trap 'rm -f "$log"' EXIT
    "${reportgen[@]}" run "$study" "${options[@]}" 2> >(tee "$log" >&2)
    bundle="$out/bundle"
    output bundle "$bundle"
    output digest "$(digest "$bundle")"
    output report "$out"
    { echo "## reportgen: $study" && echo '```' && sed -n '/^Verdicts/,$p' "$log" && echo '```'; } | summary
fi
if [ -n "$bundle_given" ]; then
    state=made
    [ -z "$baseline" ] || [ "$(digest "$bundle")" = "$(digest "$baseline")" ] || fail "$bundle is not the bundle that $baseline is of"
elif [ -z "$baseline" ]; then
    state=made
elif [ ! -e "$baseline" ]; then
    state=first
else
    compared=(compare "$baseline" "$bundle")
    [ -z "$tolerances" ] || compared+=(--tolerances "$tolerances")
    text="$("${reportgen[@]}" "${compared[@]}" --html "$out/changes.html")" || code=$?
    if [ "$code" -le 1 ]; then
        output changes "$out/changes.html"
    else
        # A page that cannot be made hides nothing of the comparison; what is wrong was said already.
        code=0
        text="$("${reportgen[@]}" "${compared[@]}" 2>/dev/null)" || code=$?
        [ "$code" -le 1 ] || exit "$code"
        echo "regenerate: there is no page of the changes" >&2
    fi
    echo "$text"
    { echo '```' && echo "$text" && echo '```'; } | summary
    if [ "$code" = 1 ]; then
        state=moved changed=true
        case "$fail_on" in
        never) code=0 ;;
        verdict) grep -q '^Verdicts that changed' <<<"$text" || code=0 ;;
        esac
    elif grep -qE '^(Settings that differ|Origins and versions that differ|Formats that differ|Quantities that are new)' <<<"$text"; then
        state=presentation
    fi
fi
case "$state" in
first) accepted=true ;;
presentation | moved) accepted="$accept" ;;
*) accepted=false ;;
esac

# A page changes with a title, a template or a newer version too: `publish` itself writes nothing where nothing differs.
if [ -n "$site" ]; then
    there=false
    [ ! -e "$site" ] || there=true
    publish=(publish "$bundle" --to "$to" --out "$site")
    [ -z "$base_url" ] || publish+=(--base-url "$base_url")
    [ -z "$under" ] || publish+=(--under "$under")
    # A label names what is new; what is there already keeps its own.
    [ -z "$label" ] || { [ "$state" = unchanged ] && [ "$there" = true ]; } || publish+=(--label "$label")
    # A baseline that was there is of this very study, whatever its text or model are now.
    [ -z "$baseline" ] || [ "$state" = first ] || publish+=(--revised)
    # The last digits of another machine are no news: what was accepted stays what is shown.
    [ "$state" != unchanged ] || publish+=(--accepted "$baseline")
    for language in $languages; do publish+=(--lang "$language"); done
    published="$("${reportgen[@]}" "${publish[@]}" --json)"
    if [ "$there" = true ] && [ "$state" = unchanged ] && ! grep -q '^  "written": \[\]' <<<"$published"; then state=presentation; fi
    output site "$site"
fi
# Last: what was accepted and not published, by whatever killed it, would be no news the next time.
[ "$accepted" = false ] || "${reportgen[@]}" compare "$baseline" "$bundle" --update --quiet
output state "$state"
output changed "$changed"
echo "regenerate: $state" >&2
exit "$code"
