#!/usr/bin/env bash
# The English Wikipedia, part by part: train on part 1, then let the model grow by parts 2 and 3.
# About 0.9 GB of downloads and 15 GB of disk; size gpt2 wants a GPU with 12 GB.
set -euo pipefail

DATE=${DATE:-20251101} # a dump that is there: https://dumps.wikimedia.org/enwiki/
CORPUS=${CORPUS:-corpus}
DUMPS=${DUMPS:-dumps}
BASE=https://dumps.wikimedia.org/enwiki/$DATE

# Wikimedia asks for at most three connections and for a User-Agent that says who you are.
AGENT="raywiki-example/0.1 (${EMAIL:?set EMAIL to an address where Wikimedia can reach you})"
mkdir -p "$DUMPS"
curl -fsS -A "$AGENT" -o "$DUMPS/sha1sums.txt" "$BASE/enwiki-$DATE-sha1sums.txt"

part() { # file name of part $1, from the dump's own list
    grep -oE "enwiki-$DATE-pages-articles$1\.xml-p[0-9]+p[0-9]+\.bz2" "$DUMPS/sha1sums.txt" | head -n 1
}

verify() { # compare a file with the dump's own SHA-1
    (cd "$DUMPS" && grep " $1\$" sha1sums.txt | sha1sum -c -)
}

for number in 1 2 3; do
    name=$(part "$number")
    # A file that is whole is not fetched again; one that is cut goes on where it stopped.
    verify "$name" 2>/dev/null || curl -fS -A "$AGENT" -C - -o "$DUMPS/$name" "$BASE/$name"
    verify "$name"
    # Part 1 starts the run; each later part goes on from its last checkpoint.
    raywiki grow "$CORPUS" "$DUMPS/$name" --run english --size gpt2 --encoding gpt2 \
        --batch-size 12 --seq-len 1024 --total-batch-size 491520
done

raywiki status "$CORPUS"
raywiki sample "$CORPUS" --run english --prompt "The history of"
