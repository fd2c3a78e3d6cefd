#!/bin/sh
# realizar serve and health as commands: usage, what they print, exit codes. HTTP itself: tests/e2e.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/check.inc

# ---- The command line

try serve
is "no model: exit code" $rc 1
is "no model: output" "$(out)" ""
has "no model: usage" "$(err)" "usage: realizar serve MODEL [OPTION ...]"
try serve --port 9000
is "no model but options: exit code" $rc 1
refused "two models" 2 "two models" serve --demo --model x
refused "too much" 2 "unexpected argument \"y\"" serve --demo y
refused "no such model" 1 "$work/none.gguf" serve "$work/none.gguf" --port 0
refused "no such address" 1 "256.1.1.1" serve --demo --host 256.1.1.1 --port 0
refused "a size that is none" 2 "--prefix-cache is \"on\", expected off or a size" \
    serve --demo --prefix-cache on
refused "a rate that is none" 2 "--rate-limit is \"0/min\", expected N/min such as 600/min" \
    serve --demo --rate-limit 0/min
refused "no such way to wait" 2 "--events" serve --demo --events kqueue
refused "no such draft model" 1 "$work/none.gguf" serve --demo --port 0 --draft "$work/none.gguf"
refused "a port that is none" 2 "--port is \"65536\"" serve --demo --port 65536

# ---- Serving

# start OPTIONS ...: sets $pid and $url.
start() {
    rm -f "$work/log"
    "$realizar" serve --demo --port 0 "$@" >"$work/out" 2>"$work/log" </dev/null &
    pid=$!
    url=
    wait_for 20 grep -qs http:// "$work/log"
    url=$(grep -om1 'http://[^ ]*:[0-9][0-9]*' "$work/log")
}

end() {
    kill -"$1" "$pid"
    wait "$pid"
    rc=$?
    pid=
}

# ---- Keys

printf '# for the tests\n\nfrom-file \r\nlast' >"$work/keys"
: >"$work/empty"
refused "an empty file of keys" 1 "$work/empty: there is no key in it" \
    serve --demo --port 0 --api-key-file "$work/empty"
refused "no file of keys" 1 "$work/nothing" serve --demo --port 0 --api-key-file "$work/nothing"
REALIZAR_API_KEY=from-env start --api-key given --api-key-file "$work/keys"
try health "$url"
is "health needs no key" $rc 0
if command -v curl >/dev/null 2>&1; then
    for key in given from-env from-file last; do
        is "the key $key" "$(curl -s -o "$work/body" -w '%{http_code}' -H "X-Api-Key: $key" \
            "$url/models")" 200
    done
    is "no key" "$(curl -s -o "$work/body" -w '%{http_code}' "$url/models")" 401
else
    skip "curl is not installed"
fi
end TERM

start --model-id tale
has "where it listens" "$(head -n 1 "$work/log")" "at http://127.0.0.1:"
has "what it serves" "$(head -n 1 "$work/log")" "(llama, "
has "how to try it" "$(sed -n 2p "$work/log")" "try: curl $url/generate -H 'Content-Type: app"
check "--port 0 is not the default port" [ "${url##*:}" != 8080 ]
is "nothing more is said on loopback" "$(wc -l <"$work/log" | tr -d ' ')" 2
try health "$url"
is "health: exit code" $rc 0
is "health" "$(out)" "$url: healthy"
for path in /health /ready /; do
    try health "$url$path"
    is "health $path" $rc 0
done
try health "$(echo "$url" | sed 's/127.0.0.1/localhost/')"
is "health of localhost" $rc 0
refused "health of what is not there" 1 "$url/none: status 404, expected 200" health "$url/none"
# The command it prints works as it stands.
if command -v curl >/dev/null 2>&1; then
    sed -n 's/^try: //p' "$work/log" >"$work/try"
    try_answer=$(sh "$work/try" 2>/dev/null)
    has "the command it prints" "$try_answer" '"text":"Once upon a time'
else
    skip "the command it prints: no curl"
fi
refused "a port in use" 1 "${url##*:}" serve --demo --port "${url##*:}"
end TERM
is "SIGTERM: exit code" $rc 0
is "SIGTERM: output" "$(out)" ""
refused "health of nobody" 1 "$url: cannot connect: Connection refused" health "$url"

start --host 127.0.0.1
end INT
is "SIGINT: exit code" $rc 0

start --host 0.0.0.0
has "beyond loopback: a warning" "$(sed -n 3p "$work/log")" "warning: listening on 0.0.0.0"
has "beyond loopback: an address to try" "$(head -n 1 "$work/log")" "at http://127.0.0.1:"
end TERM
is "beyond loopback: exit code" $rc 0

start --host ::1
if [ -n "$url" ]; then
    has "IPv6" "$url" "http://[::1]:"
    try health "$url"
    is "IPv6: health" $rc 0
    end TERM
    is "IPv6: exit code" $rc 0
else
    skip "IPv6: $(cat "$work/log")"
    wait "$pid"
    pid=
fi

# ---- health meets servers that are none

# deaf NAME TEXT PART: a listener that answers TEXT and then nothing.
deaf() {
    rm -f "$work/port"
    "$tool" deaf "$2" >"$work/port" &
    pid=$!
    wait_for 20 test -s "$work/port"
    refused "$1" 1 "$3" health "http://127.0.0.1:$(cat "$work/port")/x" --timeout 0.2
    kill "$pid" && wait "$pid" 2>/dev/null
    pid=
}
deaf "no answer" "" "no answer in time"
deaf "half an answer" "HTTP/1.1 200" "no answer in time"
deaf "not HTTP" "SSH-2.0-x
" "the answer is not HTTP"
deaf "an error" "HTTP/1.1 503 Service Unavailable
" "status 503, expected 200"
refused "no URL" 2 "does not begin with http://" health 127.0.0.1:80
refused "https" 2 "does not begin with http://" health https://127.0.0.1/
refused "a name" 2 "no address in numbers" health http://example.com/
refused "no host" 2 "no address in numbers" health http://
refused "a port that is none" 2 "the port is no number" health http://127.0.0.1:0/
refused "a port that is none" 2 "the port is no number" health http://127.0.0.1:70000/
refused "half brackets" 2 "without \"]\"" health "http://[::1/"
refused "a line end" 2 "has a space" health "http://127.0.0.1/a
b"
refused "two URLs" 2 "unexpected argument" health a b
finish
