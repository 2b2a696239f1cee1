. "$(dirname "$0")/common.sh"
image=$(build "$folder")
same "$(run "$image")" "Hello, world!" greets
same "$(run -e NAME=Ada "$image")" "Hello, Ada!" name
for name in "Ada  King,   Countess of Lovelace" "Grace \"Amazing\" O'Hopper" '* $HOME'; do
  same "$(run -e NAME="$name" "$image")" "Hello, $name!" odd
done
out=$(run -e NAME= "$image" 2>"$scratch/err"); code=$?
same "$code$out" 64 empty
[ -s "$scratch/err" ] || wrong "nothing on stderr"
grep -Eq '^FROM [^:]+:' "$folder/Dockerfile" && ! grep -q ':latest' "$folder/Dockerfile" || wrong pinned
[ -n "$(docker inspect --format '{{index .Config.Labels "org.opencontainers.image.authors"}}' "$image")" ] || wrong authors
answers state_after_exit=exited ps_shows=running removes_container="docker rm" logs_after_exit=yes \
  option_i="keeps stdin open" option_t="gives it a terminal"
