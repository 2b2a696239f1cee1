. "$(dirname "$0")/common.sh"
shell=$(build -f "$folder/shell.Dockerfile" "$folder")
exec=$(build -f "$folder/exec.Dockerfile" "$folder")
wrapper=$(build -f "$folder/wrapper.Dockerfile" "$folder")
first() { docker top "$1" -o pid,args | sed -n '2s/^ *[0-9]* *//p'; }
end() { began=$(date +%s%N); docker stop -t 3 "$1" >/dev/null; echo "$((($(date +%s%N) - began) / 1000000)) $(docker inspect --format '{{.State.ExitCode}}' "$1")"; }
one=$(start -e GREETING=word-4711 "$shell"); says "$one" .
case $(first "$one") in */sh\ -c*) ;; *) wrong "process 1 is no shell" ;; esac
[ "$(docker top "$one" -o pid,args | wc -l)" -ge 3 ] || wrong "no child"
docker top "$one" -o pid,args | grep -q word-4711 || wrong "not expanded"
set -- $(end "$one"); [ "$2" = 137 ] || wrong "shell: $2"
two=$(start "$exec"); says "$two" .
case $(first "$two") in */sh\ -c*) wrong "a shell" ;; esac
set -- $(end "$two"); { [ "$2" != 137 ] && [ "$1" -lt 2000 ]; } || wrong "exec: $*"
three=$(start "$wrapper" $(docker inspect --format '{{join .Config.Cmd " "}}' "$wrapper") "two words" "it's" "*" ""); says "$three" .
first "$three" | grep -q entrypoint.sh && wrong "the script stays"
docker exec "$three" sh -c 'tr "\0" "\n" < /proc/1/cmdline' | tail -4 | head -1 | grep -qx "two words" || wrong words
[ -n "$(docker diff "$three")" ] || wrong "nothing was set up"
set -- $(end "$three"); { [ "$2" != 137 ] && [ "$1" -lt 2000 ]; } || wrong "wrapper: $*"
for base in debian:bookworm-slim busybox:latest; do
  four=$(start --entrypoint "" "$base" /bin/sh -c "sleep 60")
  name=$(first "$four" | awk '{print $1}')
  key=shell_form_on_${base%%:*}
  answers "$key=${name##*/}"
  docker kill "$four" >/dev/null
done
answers stop_goes_to="process 1" exec_does="replaces the shell by greeter"
