#!/usr/bin/env bash
# The English Wikipedia, part by part: train on part 1, then let the model grow by parts 2 and 3.
# About 0.9 GB of downloads and 15 GB of disk; size gpt2 wants a GPU with 12 GB.
set -euo pipefail

DATE=${DATE:-20251101} # a dump that is there: https://dumps.wikimedia.org/enwiki/
CORPUS=${CORPUS:-corpus}
DUMPS=${DUMPS:-dumps}

for number in 1 2 3; do
    # A part that the corpus has needs no file, and a file that is cut goes on where it stopped.
    # Part 1 starts the run; each later part goes on from its last checkpoint.
    raywiki grow "$CORPUS" --wiki "enwiki:$number" --date "$DATE" --to "$DUMPS" --run english --size gpt2 --encoding gpt2 \
        --batch-size 12 --seq-len 1024 --total-batch-size 491520
done

raywiki status "$CORPUS"
raywiki sample "$CORPUS" --run english --prompt "The history of"
