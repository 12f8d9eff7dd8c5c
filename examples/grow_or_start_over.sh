#!/usr/bin/env bash
# Was growing worth it? A run learns from part 1 and grows by the parts after it; another one starts over with fresh weights on as
# many tokens of all of them, in the same mixture. `compare` says which won, and whether by more than noise; `report` puts
# everything on one page.
#
#   examples/grow_or_start_over.sh                                 the built-in sample wiki: offline, some minutes on 2 cores
#   examples/grow_or_start_over.sh dumps/*articles{1,2,3}.xml*     real parts, in this order
set -euo pipefail

CORPUS=${CORPUS:-growth}
MODEL=${MODEL:---size nano --recipe modern --seq-len 128 --batch-size 16 --total-batch-size 2048}
FIRST_STEPS=${FIRST_STEPS:-200} # on part 1
MORE_STEPS=${MORE_STEPS:-160}   # on all of them

if [ $# -eq 0 ]; then
    DUMPS=${CORPUS##*/}-dumps # here, wherever the corpus is
    python -c 'import sys, raywiki as rw; rw.write_sample_wiki(sys.argv[1])' "$DUMPS"
    set -- "$DUMPS"/*.bz2
fi

raywiki extract "$CORPUS" "$1"
raywiki curate "$CORPUS" --min-chars 500
raywiki tokenizer train "$CORPUS" --vocab-size 4096 --to "$CORPUS.json"
raywiki tokenize "$CORPUS" --encoding "$CORPUS.json" --val-fraction 0.05

# shellcheck disable=SC2086  # several words
raywiki train "$CORPUS" --run grown $MODEL --steps "$FIRST_STEPS"
shift
raywiki grow "$CORPUS" "$@" --run grown --steps "$MORE_STEPS"
raywiki train "$CORPUS" --run fresh --from-scratch grown

raywiki compare "$CORPUS" grown fresh
raywiki report "$CORPUS"
