. "$(dirname "$0")/common.sh"
image=$(build "$folder")
fresh() { one=$(start "$image"); says "$one" .; sleep 0.3; }
code() { docker inspect --format '{{.State.ExitCode}}' "$one"; }
for pair in TERM:15 INT:2; do
  fresh; began=$(date +%s)
  docker kill --signal="${pair%:*}" "$one" >/dev/null; docker wait "$one" >/dev/null
  docker logs "$one" 2>&1 | tail -1 | grep -q "Gracefully shutting down after receiving signal ${pair#*:}" || wrong "${pair%:*}: no goodbye"
  same "$(code)" 0 "${pair%:*}"
  [ $(($(date +%s) - began)) -le 2 ] || wrong "too slow"
done
fresh; docker stop -t 5 "$one" >/dev/null
docker logs "$one" 2>&1 | grep -q "receiving signal 2" || wrong "docker stop"
same "$(code)" 0 stop
fresh; docker kill "$one" >/dev/null; docker wait "$one" >/dev/null
same "$(code)" 137 kill
docker logs "$one" 2>&1 | grep -q Gracefully && wrong "a goodbye after SIGKILL"
fresh; echo loud-4711 > "$scratch/setting.txt"; docker cp "$scratch/setting.txt" "$one:/app/setting.txt"
docker kill --signal=HUP "$one" >/dev/null; says "$one" loud-4711
fresh; sleep 1.5
for _ in 1 2 3; do
  docker exec "$one" sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null' | sort > "$scratch/zombies.$_"; sleep 0.3
done
[ -z "$(comm -12 "$scratch/zombies.1" "$scratch/zombies.3")" ] || wrong zombies
answers code_0=success code_130="ended by SIGINT" code_137="killed by SIGKILL" code_139="crashed by SIGSEGV" \
  code_143="ended by SIGTERM" uncatchable=SIGKILL formula="128+n" out_of_memory=137
