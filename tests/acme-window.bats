# sslm-acme window at a CA that does strange things with renewal information (RFC
# 9773): see tests/hostile_faults.py.
setup_file() {
	load helper; load acme; load hostile
	lies_begin
	mkdir -p right && cd right
	line='0 done'
	lie "$line" >says
	cat says
	[ ! -s says ]
}
setup() { load helper; load site; load acme; load hostile; workdir; }
teardown_file() { load acme; lab_stop; }

# windows <<END, with lines `MOMENT SECONDS FAULT... | PATTERN': after the question to a
# CA with these faults there is a chosen MOMENT (yes) or none (no), and the next question
# is in so many SECONDS.  The status is always 0, and no more than four requests are made.
windows() {
	local line bad=0 n=0
	while read -r line; do
		n=$((n + 1))
		mkdir "w$n"
		(cd "w$n" && window "$line" >says 2>&1)
		cat "w$n/says"
		[ ! -s "w$n/says" ] || bad=1
	done
	[ "$n" -gt 0 ]
	[ "$bad" = 0 ]
}

window() {
	local line=$1 pattern moment seconds faults now id serial at start end good next status=0
	pattern=${line#* | }
	[ "$pattern" != "$line" ] || pattern=
	read -r moment seconds faults <<<"${line%% | *}"
	lie_site
	cp -r "$TOP/conf.d/example.com" conf.d/
	sed -i "s/^signing_ca = .*/signing_ca = 'liar'/" conf.d/example.com/web-ec
	printf "[[groups]]\nactive = true\ndomain = 'example.com'\nservices = ['web-ec']\n" >conf.d/ssl-mgr.conf
	rm -r certs/*
	mkdir -p certs/example.com/web-ec/db
	cp -r "$BATS_FILE_TMPDIR/right/certs/example.com/web/next" certs/example.com/web-ec/db/20260101T000000Z
	ln -s db/20260101T000000Z certs/example.com/web-ec/curr
	now=$(date +%s)
	timeout 100 sslm-acme window 2>err || status=$?
	[ "$status" = 0 ] || wrong "ends with $status"
	read -r id serial at start end good next <certs/.acme/windows || wrong "no line for it"
	[ "$id" = example.com/web-ec ] || wrong "a line for $id $serial $good"
	if [ "$moment" = yes ]; then
		[[ ! $at < $start && ! $at > $end ]] || wrong "$at is not from $start to $end"
	else
		[ "$at" = - ] || wrong "has chosen $at"
	fi
	seconds=$((now + seconds - $(stamp_seconds "$next")))
	[ "${seconds#-}" -le 10 ] || wrong "asks again at $next, off by $seconds s"
	[ -z "$pattern" ] || grep -Eq -e "$pattern" err || wrong "says something else"
	run ! env LC_ALL=C grep '[^ -~]' err || wrong "control characters"
	[ "$(wc -l <"$ACME_LOG")" -le 4 ] || wrong "asks $(wc -l <"$ACME_LOG") times"
}

# 20260101T000000Z in seconds.
stamp_seconds() {
	date -u -d "$(sed 's/\(....\)\(..\)\(..\)T\(..\)\(..\)\(..\)Z/\1-\2-\3 \4:\5:\6/' <<<"$1")" +%s
}

@test "the CA is asked when it wants, within bounds" {
	windows <<-'END'
		yes 21600 ari
		yes 60 ari header:Retry-After=1@ari
		yes 60 ari header:Retry-After=0@ari
		yes 7200 ari header:Retry-After=7200@ari
		yes 86400 ari header:Retry-After=31536000@ari
		yes 86400 ari header:Retry-After=99999999999999999999@ari
		yes 21600 ari header:Retry-After=-5@ari
		yes 21600 ari header:Retry-After=soon@ari
		yes 21600 ari header:Retry-After@ari
		no 86400
	END
}

@test "windows that are none" {
	windows <<-'END'
		yes 21600 ari window:past
		yes 21600 ari window:now
		yes 21600 ari window:far
		no 21600 ari window:reversed
		no 21600 ari window:point
		no 21600 ari window:{}
		no 21600 ari window:7
		no 21600 ari window:{"start":"tomorrow","end":"2027-01-01T00:00:00Z"}
		no 21600 ari window:{"start":1,"end":2}
		no 21600 ari window:{"start":"9999999-01-01T00:00:00Z","end":"99999999-01-01T00:00:00Z"}
		no 21600 ari put:suggestedWindow@ari
	END
}

@test "errors" {
	windows <<-'END'
		no 21600 ari problem-of:malformed,404@ari
		no 3600 ari status:500@ari
		no 3600 ari status:503@ari
		no 7200 ari status:503,7200@ari
		no 3600 ari status:429,1@ari
		no 86400 ari status:503,31536000@ari
		no 21600 ari html@ari
		no 21600 ari broken:truncated@ari
		no 21600 ari broken:nested@ari
		no 21600 ari no-content@ari
		no 21600 ari redirect:302@ari
		no 3600 ari close-before@ari
		no 3600 ari endless:chunked@ari
		no 3600 status:500@dir
		no 3600 close-before@dir
		no 86400 ari url:http.renewalInfo@dir
	END
}

@test "an explanation is a URL, or nothing" {
	windows <<-'END'
		yes 21600 ari put:explanationURL="https://ca.example/why"@ari | https://ca.example/why
		yes 21600 ari put:explanationURL="javascript:alert(1)"@ari
		yes 21600 ari put:explanationURL="https://ca.example/\u001b[2J"@ari
	END
}
