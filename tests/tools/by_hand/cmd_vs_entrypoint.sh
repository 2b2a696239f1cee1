. "$(dirname "$0")/common.sh"
cmd=$(build -f "$folder/cmd.Dockerfile" "$folder")
entry=$(build -f "$folder/entrypoint.Dockerfile" "$folder")
both=$(build -f "$folder/both.Dockerfile" "$folder")
same "$(run "$cmd")" default "cmd"
same "$(run "$cmd" echo other)" other "cmd echo other"
same "$(run "$entry" a b)" "args: a b" "entrypoint a b"
same "$(run "$entry" | sed 's/ *$//')" "args:" "entrypoint"
same "$(run "$both")" "args: default" "both"
same "$(run "$both" x)" "args: x" "both x"
same "$(run --entrypoint echo "$both" hi)" hi "--entrypoint"
grep -hE '^(CMD|ENTRYPOINT) *[^[ ]' "$folder"/*.Dockerfile && wrong "shell form"
# The table: each combination is built and run.
for e in none shell exec; do
  for c in none shell exec; do
    mkdir -p "$scratch/$e$c"
    {
      echo "FROM debian:bookworm-slim AS base"; echo "FROM scratch"; echo "COPY --from=base / /"
      case $e in shell) echo 'ENTRYPOINT echo E' ;; exec) echo 'ENTRYPOINT ["echo", "E"]' ;; esac
      case $c in shell) echo 'CMD echo C' ;; exec) echo 'CMD ["echo", "C"]' ;; esac
    } > "$scratch/$e$c/Dockerfile"
    image=$(build "$scratch/$e$c")
    truth=$(run "$image" 2>/dev/null) || truth=error
    answers "${e}_$c=$truth"
  done
done
