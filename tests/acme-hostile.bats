# sslm-acme at a CA that does what it should not: see tests/hostile_faults.py for
# the faults, and tests/hostile.bash for what is checked with each of them.
setup_file() { load helper; load acme; load hostile; lies_begin; }
setup() { load helper; load acme; load hostile; workdir; }
teardown_file() { load acme; lab_stop; }

@test "a CA that does it right" {
	lies <<-'END'
		0 done
		0 done http10@dir,new-account,order,authz
		0 done clock:-31536000
		0 done clock:31536000
		0 done header:Content-Type=text/plain@new-order,order,authz,cert
		0 done header:Content-Type@dir,new-order
		0 done reused
		0 done put:extra={"a":[1,2]}@dir,new-order,order,authz
	END
}

@test "a directory that is none" {
	lies <<-'END'
		1 account html@dir | dir: .*200.*JSON
		75 account html:500@dir | dir: .*500
		1 account html:404@dir | dir: .*404
		1 account broken:truncated@dir | JSON
		1 account broken:word@dir | JSON
		1 account broken:empty@dir | JSON
		1 account broken:array@dir | JSON
		1 account broken:string@dir | JSON
		1 account broken:null@dir | JSON
		1 account broken:number@dir | JSON
		1 account broken:rawnul@dir | JSON
		1 account broken:nul@dir | JSON
		1 account broken:tail@dir | JSON
		1 account broken:bom@dir | JSON
		1 account broken:latin1@dir | JSON
		1 account broken:surrogate@dir | JSON
		1 account broken:nested@dir | JSON
		1 account broken:objects@dir | JSON
		1 account broken:long@dir | larger
		1 account broken:keys@dir | larger
		1 account no-content@dir | 204
		1 account put:newNonce@dir | no 'newNonce'
		1 account put:newAccount@dir | no 'newAccount'
		1 account put:newAccount=7@dir | 'newAccount'
		1 account put:newNonce=["x"]@dir | 'newNonce'
		1 order put:newOrder@dir | no 'newOrder'
		0 done put:meta@dir
		0 done put:meta="x"@dir
		0 done put:meta.profiles=["x"]@dir
	END
}

@test "URLs that lead elsewhere" {
	lies <<-'END'
		1 account url:http@dir | not a URL with https
		1 account url:file@dir | not a URL with https
		1 account url:ftp.newNonce@dir | 'newNonce'
		1 account url:relative.newNonce@dir | 'newNonce'
		1 account url:empty.newAccount@dir | 'newAccount'
		1 account url:space.newAccount@dir | 'newAccount'
		1 account url:newline.newAccount@dir | 'newAccount'
		1 account url:quote.newAccount@dir | 'newAccount'
		1 account url:option.newAccount@dir | 'newAccount'
		1 account url:long.newAccount@dir | 'newAccount'
		1 account url:glob.newAccount@dir | 'newAccount'
		1 account url:user.newAccount@dir | 'newAccount'
		75 account url:host.newAccount@dir | onnect
		1 account url:http.Location@new-account | Location
		1 account url:file.Location@new-account | Location
		1 order url:http.newOrder@dir | 'newOrder'
		1 order url:http.authorizations@new-order | authorization
		1 order url:file.authorizations@new-order | authorization
		1 order url:http.finalize@new-order | 'finalize'
		1 order url:file.finalize@new-order | 'finalize'
		1 order url:http.Location@new-order | Location
		1 order url:http.challenges@authz | not a URL with https
		1 order url:file.challenges@authz | not a URL with https
		1 order url:newline.challenges@authz | not a URL with https
		1 finish url:http.certificate@order,finalize | not a URL with https
		1 finish url:file.certificate@order,finalize | not a URL with https
		75 finish url:host.certificate@order,finalize | onnect
	END
}

@test "redirects are not followed" {
	lies <<-'END'
		1 account redirect:302@dir | redirect
		1 account redirect:301,http@dir | redirect
		1 account redirect:307,host@dir | redirect
		1 account redirect:302,file@dir | redirect
		1 account redirect:302,none@dir | redirect
		1 account redirect:307@new-account | redirect
		1 order redirect:308,http@new-order | redirect
		1 order redirect:302,none@authz | redirect
		1 finish redirect:302@cert | redirect
		1 finish redirect:303,file@cert | redirect
	END
}

@test "nonces" {
	lies <<-'END'
		75 account bad-nonce | badNonce
		75 account bad-nonce@new-account | badNonce
		75 order bad-nonce@new-order | badNonce
		75 finish bad-nonce@finalize | badNonce
		0 done bad-nonce@post#1
		0 done bad-nonce@new-order#3
		0 done bad-nonce@challenge#2
		1 account no-nonce@nonce | without a nonce
		0 done no-nonce@new-account,new-order,authz,challenge,order
		1 account header:Replay-Nonce=a!b@nonce | without a nonce
		1 account header:Replay-Nonce=@nonce | without a nonce
		75 account status:500@nonce no-nonce@nonce | no nonce
		75 account html:404@nonce no-nonce@nonce | no nonce
		0 done status:500@nonce
	END
}

@test "accounts" {
	lies <<-'END'
		1 account header:Location@new-account | Location
		1 account header:Location=@new-account | Location
		1 account html@new-account | Location
		1 account problem-of:userActionRequired@new-account | userActionRequired
		1 account problem-of:externalAccountRequired@new-account | externalAccountRequired
		1 account problem-of:unsupportedContact,400@new-account | unsupportedContact
		1 account problem-of:unauthorized@new-account | unauthorized
		75 account status:429,86400@new-account | rateLimited.*not before
		1 account put:status="deactivated"@new-account | not valid
		1 account put:status="revoked"@new-account | not valid
		1 order problem-of:unauthorized,401@new-order | unauthorized
		1 order problem-of:accountDoesNotExist,400@new-order | accountDoesNotExist
		0 done problem-of:accountDoesNotExist,400@new-order#1
	END
}

@test "a CA that is busy" {
	lies <<-'END'
		75 account status:500@dir | 500
		75 order status:503@new-order | 503
		75 order status:503,86400@new-order | not before
		75 order status:503,date86400@new-order | not before
		75 order status:503,31536000@new-order | not before
		75 order status:503,99999999999999999999@new-order | not before
		75 order status:503,-1@new-order | 503
		75 order status:503,soon@new-order | 503
		75 order status:429@new-order | rateLimited
		75 order status:429,3600@new-order | rateLimited.*not before
		75 order status:502@authz | 502
		75 finish status:500@finalize | 500
		75 finish status:500@cert | 500
		0 done status:503,1@new-order#1
		0 done status:503,0@new-order#2
		0 done status:503,date1@new-order#1
		0 done status:500@new-order#2
		0 done status:500@order,authz,finalize,cert,challenge#2
	END
}

@test "connections that break" {
	lies <<-'END'
		75 account close-before@dir | dir: 
		75 account close-before@nonce | .
		75 order close-before@new-order | new-order: 
		75 order close-mid@new-order | new-order: 
		75 finish close-before@finalize | finalize
		75 finish close-mid@cert | cert/
		0 done close-before@dir#1
		0 done close-mid@order#1
		0 done close-before@authz#1
		0 done close-mid@new-account#1
		75 order close-before@new-order#1 | new-order: 
		75 order close-mid@new-order#1 | new-order: 
		1 order broken:long@new-order#1 | larger
		0 done close-mid@challenge#1
		0 done close-mid@finalize#1
		0 done close-mid@cert#1
	END
}

@test "answers without an end" {
	# Before 8.6 libcurl could not tell a long line in a header from a want of memory.
	long=1
	curl -V | awk '{ split($2, v, "."); exit !(v[1] * 1000 + v[2] < 8006) }' && long=75
	lies <<-END
		1 account endless@dir | larger
		1 account endless:length@dir | larger
		1 account endless:chunked@dir | larger
		$long account endless:header@dir | header
		1 order endless:chunked@new-order | larger
		1 finish endless:chunked@cert | larger
		1 finish endless@cert | larger
		1 account bomb@dir | JSON
		$long account huge-header@dir | header
		$long order huge-header@new-order | header
		1 order many-headers@new-order | larger
	END
}

@test "words that are not for people" {
	lies <<-'END'
		1 order nasty-detail:ansi | before.*after
		1 order nasty-detail:newline | one.*sslm: two.*three
		1 order nasty-detail:nul | .
		1 order nasty-detail:bidi | before.*after
		1 order nasty-detail:c1 | before.*after
		1 order nasty-detail:del | before.*after
		1 order nasty-detail:long | very long
		1 order nasty-detail:format | %s%s%s%n%n
		1 order nasty-detail:surrogate | .
		1 order nasty-detail:type | urn
		1 finish authz-invalid:ansi | not validated.*before.*after
		1 finish authz-invalid:newline | not validated.*one.*two
		1 finish authz-invalid:long | not validated.*very long
	END
}

@test "orders that are refused" {
	lies <<-'END'
		1 order problem-of:rejectedIdentifier,400 | www.example.com: this one not
		1 order problem-of:caa | caa
		1 order problem-of:malformed,400 | malformed
		1 order problem-of:strange | strange
		75 order problem-of:serverInternal,500 | serverInternal
		1 order html | JSON
		1 order html:403 | 403
		1 order no-content | 204
		1 order broken:truncated | JSON
		1 order broken:nested | JSON
		1 order broken:empty | JSON
		1 order broken:twice | JSON
		1 finish problem-of:badCSR,400@finalize | badCSR
		1 finish problem-of:unauthorized@finalize | unauthorized
		1 finish problem-of:badPublicKey,400@finalize | badPublicKey
	END
}

@test "orders that are not ours" {
	lies <<-'END'
		1 order header:Location@new-order | Location
		1 order put:finalize@new-order | finalize
		1 order put:authorizations@new-order | authorizations
		1 order put:authorizations=7@new-order | authorizations
		1 order put:authorizations=[7,null]@new-order | authorization
		1 order put:authorizations.0={}@new-order | authorization
		1 order put:identifiers@new-order | names
		1 order put:identifiers=[{"type":"dns","value":"other.example"}]@new-order | names
		1 order put:identifiers.0.value="other.example"@new-order | names
		1 order authzs:none | authorizations
		1 order authzs:many | 10000|authorizations
		1 order authzs:extra | authorizations
		0 done put:status="invalid"@new-order
		0 done put:status=7@new-order
		0 done put:expires="2020-01-01T00:00:00Z"@new-order
		0 done put:expires@new-order,order
		0 done put:expires="never"@new-order,order
	END
}

@test "authorizations that are not ours" {
	lies <<-'END'
		1 order put:identifier.value="other.example"@authz | other.example.*not asked for
		1 order put:identifier.value="../../etc"@authz | .
		1 order put:identifier={"type":"ip","value":"192.0.2.1"}@authz | 192.0.2.1
		1 order put:identifier.type="ip"@authz | .
		1 order put:identifier@authz | no name
		1 order put:wildcard=true@authz | \*\.
		1 order put:status="invalid"@authz | 'invalid'
		1 order put:status="deactivated"@authz | 'deactivated'
		1 order put:status="strange"@authz | 'strange'
		1 order put:status@authz | authorization
		1 order put:challenges@authz | nothing
		1 order put:challenges=7@authz | nothing
		1 order put:challenges=[7,null,{}]@authz | nothing
		1 order put:challenges.0.url@authz | URL
		1 order challenges: | nothing
		1 order challenges:weird-99 | weird-99
		1 order challenges:tls-alpn-01+dns-01 | tls-alpn-01, dns-01
		0 done challenges:weird-99+http-01+weird-98
		1 order html@authz | JSON
		1 order problem-of:malformed,404@authz | 404
		1 order authzs:twice | authorizations
	END
}

@test "tokens" {
	lies <<-'END'
		1 order token:dots | token
		1 order token:shell | token
		1 order token:long | .
		1 order token:empty | token
		1 order token:missing | token
		1 order token:newline | token
		1 order token:short | token
		1 order token:slash | token
		1 order token:nul | .
		1 order token:quote | token
		1 order token:dot | token
		1 order token:number | token
		1 order token:utf8 | token
		1 order token:percent | token
		1 order token:blank | token
		1 order token:list | token
		0 done token:dash
	END
	[ ! -e /tmp/evil-token-of-many-letters ]
	[ -z "$(find . -name 'evil*' -o -name '-rf*')" ]
}

@test "validations that fail" {
	lies <<-'END'
		1 finish authz-invalid | example.com: not validated by http-01: the file has another content
		1 finish authz-invalid put:status="pending"@order | not validated by http-01
		1 finish order-invalid | CAA forbids it
		1 finish put:status="invalid"@order | invalid
		1 finish put:status="invalid"@finalize | invalid
		1 finish put:status="strange"@order | state
		1 finish put:status@order | .
		1 finish put:status=7@order | .
		1 finish put:certificate@order | without a certificate
		1 finish broken:truncated@order | JSON
		1 finish html@order | JSON
		1 finish problem-of:malformed,404@order | malformed
		1 finish problem-of:malformed,400@challenge | malformed
	END
}

@test "certificates that were not ordered" {
	lies <<-'END'
		1 finish cert:other-key | key
		1 finish cert:other-names | not for
		1 finish cert:more-names | also for
		1 finish cert:fewer-names | not for
		1 finish cert:expired | expired|valid
		1 finish cert:future | valid
		1 finish cert:empty | certificate
		1 finish cert:html | certificate
		1 finish cert:with-key | cert/
		1 finish cert:order | .
		1 finish cert:unrelated | .
		1 finish cert:many | larger|certificates
		1 finish cert:eleven | certificates
		1 finish cert:leaf-only | .
		1 finish cert:twice | .
		1 finish cert:issuer-only | .
		1 finish cert:half | .
		1 finish cert:pem-garbage | .
		1 finish cert:crl | .
		1 finish cert:pkcs7 | .
		1 finish cert:csr | .
		1 finish cert:trusted | .
		1 finish cert:old-issuer | expired|valid
		1 finish cert:loop | .
		1 finish cert:open | .
		1 finish cert:zeros | .
		1 finish cert:nul | .
		1 finish html@cert | .
		1 finish no-content@cert | .
		1 finish problem-of:unauthorized@cert | unauthorized
		0 done cert:crlf
		0 done cert:short
	END
}

@test "answers that are hardly HTTP, or unusual" {
	lies <<-'END'
		75 order raw:999 | 999
		1 order raw:word | .
		1 order raw:version | .
		1 order raw:none | .
		1 order raw:minus | .
		75 order raw:two | new-order: 
		75 order raw:chunk | new-order: 
		75 order raw:big-chunk | new-order: 
		75 order raw:switch | new-order: 
		1 order raw:h2 | .
		1 order raw:nul | .
		1 order raw:fold | .
		1 order raw:auth | 401
		1 order raw:proxy | 407
		1 order raw:interim | larger
		1 account raw:interim@dir | larger
		75 account raw:999@dir | 999
		75 finish raw:two@cert | cert/1: 
		1 finish raw:interim@cert | larger
		0 done code:200@new-order
		0 done code:200@new-account
		1 order code:202@new-order | 202
		1 order subproblems:5000 | and 49..
		1 order problem-of:x put:detail=7@new-order put:type=[1]@new-order put:subproblems=7@new-order | 403
		1 order problem-of:x put:subproblems=[7,null,{}]@new-order put:instance={}@new-order | 403
		1 order problem-of:x put:detail=""@new-order put:type=""@new-order put:status="x"@new-order | 403
		75 account header:Replay-Nonce=AAAAAAAAAAAAAAAAAAAAAA@nonce,new-account | badNonce
		0 done header:Alt-Svc=h2=":1"@dir,new-account,order
		0 done header:Set-Cookie=a=b@dir,new-account,order
		0 done header:Strict-Transport-Security=max-age=9@dir
		0 done header:Content-Encoding=identity@dir,order
		0 done authzs:same
		75 finish url:host.Location@new-order | onnect
		0 done put:status="valid"@new-order
		0 done put:status="ready"@new-order
		1 order put:challenges.0.type="\u001b[2Jx"@authz | tls-alpn-01
		1 order put:challenges.0.type="HTTP-01"@authz | HTTP-01
		1 order put:challenges.0.type={}@authz | tls-alpn-01
		1 order put:challenges.0=[]@authz | tls-alpn-01
		1 order problem-of:userActionRequired@new-order | read-this
		75 finish status:503@challenge | example.com: .*503
		75 finish status:429,86400@challenge | not before
		75 finish bad-nonce@challenge | badNonce
		75 finish status:429,86400@order | not before
		75 finish status:429@cert | 429
	END
}

@test "certificates with more around them" {
	lies <<-'END'
		0 done cert:with-root
		0 done cert:one-line
		0 done cert:blank
		1 finish cert:text | .
	END
}

@test "other chains" {
	CA_LINES=$'ca_validation = "http-01"\nca_preferred_chain = "No Such Root"'
	lies <<-'END'
		0 done alternates:good | No Such Root
		0 done alternates:bad | No Such Root
		0 done alternates:many | No Such Root
		0 done alternates:http | No Such Root
		0 done alternates:html | No Such Root
		0 done alternates:self | No Such Root
		0 done alternates:host | No Such Root
	END
}

@test "dns-01, and challenges with other members" {
	CA_LINES="ca_validation = 'dns-01'"
	lies <<-'END'
		0 done
		1 order token:dots | token
		1 order challenges:http-01 | http-01
		1 order challenges:dns-account-01+tls-alpn-01 | dns-account-01
		0 done challenges:dns-persist-01+dns-account-01+dns-01
	END
}

@test "profiles" {
	CA_LINES=$'ca_validation = "http-01"\nca_preferred_acme_profile = "shortlived"'
	lies <<-'END'
		0 done profiles:classic+shortlived
		0 done profiles:classic | no profile 'shortlived'
		0 done profiles:shortlived problem-of:invalidProfile,400@new-order#1 | without the profile
		1 order profiles:shortlived problem-of:invalidProfile,400@new-order | invalidProfile
		1 order profiles:shortlived problem-of:malformed,400@new-order#1 | malformed
	END
	# The one that nobody has asked for costs no certificate.
	CA_LINES='ca_validation = "http-01"'
	lies <<-'END'
		0 done profiles:classic+tlsserver
		0 done profiles:tlsserver problem-of:malformed,400@new-order#1
		1 order profiles:tlsserver problem-of:malformed,400@new-order#2 | malformed
	END
}

@test "dns-persist-01" {
	CA_LINES="ca_validation = 'dns-persist-01'"
	lies <<-'END'
		0 done challenges:dns-persist-01
		1 order challenges:dns-01+http-01 | dns-01, http-01
		1 order challenges:dns-persist-01 put:challenges.0.issuer-domain-names@authz | issuer
		1 order challenges:dns-persist-01 put:challenges.0.issuer-domain-names=[]@authz | issuer
		1 order challenges:dns-persist-01 put:challenges.0.issuer-domain-names=[7]@authz | issuer
		1 order challenges:dns-persist-01 put:challenges.0.issuer-domain-names=["a;b"]@authz | issuer
		1 order challenges:dns-persist-01 put:challenges.0.issuer-domain-names=["a\"\nb"]@authz | issuer
	END
}

@test "that a certificate replaces another is said once, if the CA does not like it" {
	for refusal in '' already-replaced already-replaced:malformed,400; do
		rm -rf site
		mkdir site
		cd site
		lie "0 done ari $refusal"
		mkdir certs/example.com/web/new
		cp certs/example.com/web/next/{csr,privkey}.pem certs/example.com/web/new/
		sslm-acme order -q -c liar -p certs/example.com/web/next certs/example.com/web/new
		sslm-acme finish -c liar certs/example.com/web/new
		orders=2
		[ -z "$refusal" ] || orders=3
		[ "$(grep -c /new-order "$ACME_LOG")" = "$orders" ]
		cd ..
	done
}

@test "something else than TLS, or not with this server" {
	for kind in garbage http close old untrusted expired wrong-host; do
		mkdir "$kind"
		(cd "$kind" && lie "75 account connect:$kind | dir: ")
	done >says
	cat says
	[ ! -s says ]
}

# other_key STATUS FAULT...: sslm-acme account -k ends with it; once the faults are over
# the account is there, with one key or the other.
other_key() {
	local status=$1
	shift
	rm -rf site
	mkdir site
	cd site
	line="$*"
	lie "0 done $*"
	run -"$status" sslm-acme account -k -c liar
	[ "$status" = 0 ] || [ -n "$output" ]
	run -0 sslm-acme account -k -c liar
	run -0 sslm-acme account -s -c liar
	[ -z "$(find certs -name next.pem)" ]
	cd ..
}

@test "another key, of which the CA's answer is lost or wrong" {
	other_key 0 status:500@key-change#1
	other_key 75 status:500@key-change#5
	other_key 1 problem-of:unauthorized@key-change#1
	other_key 1 html:403@key-change#1
	other_key 0 close-mid@key-change#1
}

@test "an order that the CA gives up between two steps is a failure: the one after the next waits" {
	set=certs/example.com/web/next faults=order-invalid
	mkdir site
	cd site
	lie_site
	sslm-acme account -q -c liar
	sslm-acme order -q -c liar $set
	run -0 sslm-acme order -q -c liar $set
	[[ $output == *"the order is invalid: "*"CAA forbids it"* ]]
	run -75 sslm-acme order -q -c liar $set
	[[ $output == *"the order is invalid: "*"failed 1 time;"* ]]
	run -75 sslm-acme order -q -c liar $set
	[[ $output == *"failed 2 times;"* ]]
	[ "$(grep -c /new-order "$ACME_LOG")" = 2 ]
}

asked() { grep -c /new-order "$ACME_LOG"; }

# count N: how often an order has failed, and how long the next one waits.
count() {
	grep -Fx "count $1" $set/failed
	until=$(sed -n 's/^until //p' $set/failed)
	[ "$until" \> "$(date -u -d "$(($2 - 10)) seconds" +%Y%m%dT%H%M%SZ)" ]
	[ "$until" \< "$(date -u -d "$(($2 + 10)) seconds" +%Y%m%dT%H%M%SZ)" ]
}

@test "an order whose answer is lost is asked for once in a run, and counts" {
	set=certs/example.com/web/next
	for how in close-before close-mid slow-body broken:long status:500; do
		rm -rf site
		mkdir site
		cd site
		line=$how faults="$how@new-order"
		lie_site
		sslm-acme account -q -c liar
		most=1
		case $how in
		slow-body) run timeout -s KILL 3 sslm-acme order -q -c liar $set; [ "$status" = 137 ] ;;
		status:500) run -75 sslm-acme order -q -c liar $set; most=4 ;;	# it says no, four times
		*) run sslm-acme order -q -c liar $set; [ "$status" != 0 ] ;;
		esac
		[ "$(asked)" = $most ]
		count 1 60
		[ ! -e $set/order.json ]
		run -75 sslm-acme order -q -c liar $set
		[[ $output == *"failed 1 time; not asked again before"* ]]
		[ "$(asked)" = $most ]
		# A minute later.
		sed -i "s/^until .*/until $(date -u -d '-1 second' +%Y%m%dT%H%M%SZ)/" $set/failed
		[ $how != slow-body ] || { cd ..; continue; }
		run sslm-acme order -q -c liar $set
		count 2 600
		run -75 sslm-acme order -q -c liar $set
		run sslm-acme order -f -q -c liar $set
		count 3 6000
		[ "$(asked)" = $((3 * most)) ]
		cd ..
	done
}

@test "an order that is answered counts no more, and failures before it as they were" {
	set=certs/example.com/web/next faults=close-mid@new-order#2
	mkdir site
	cd site
	lie_site
	sslm-acme account -q -c liar
	run -75 sslm-acme order -q -c liar $set
	run -75 sslm-acme order -f -q -c liar $set
	count 2 600
	grep '^asked ' $set/failed
	run -0 sslm-acme order -f -q -c liar $set
	grep -Fx 'count 2' $set/failed
	run ! grep '^asked ' $set/failed
	# It is there, and is gone on with though others have failed before.
	run -0 sslm-acme order -q -c liar $set
	[ "$(asked)" = 3 ]
	run -0 sslm-acme finish -c liar $set
	[ ! -e $set/failed ]
}

@test "a CA that is at work for a run that was killed is waited for by the next" {
	set=certs/example.com/web/next line=killed faults='one-answer polls:24'
	mkdir site
	cd site
	lie_site
	sslm-acme account -q -c liar
	for again in '' order; do
		sslm-acme order -q -c liar $set
		sslm-acme finish -c liar $set &
		until [ "$(grep -c /challenge/ "$ACME_LOG")" -ge 2 ]; do sleep 0.02; done
		kill -9 $!
		wait $! || :
		[ -z "$again" ] || run -0 sslm-acme order -q -c liar $set
		run -0 sslm-acme finish -c liar $set
		[ -z "$output" ]
		[ "$(asked)" = 1 ]
		rm $set/cert.pem $set/order.json
		: >"$ACME_LOG"
	done
}

@test "an account that the CA does not deactivate stays one" {
	line=refused faults='problem-of:malformed,400@account'
	mkdir site
	cd site
	lie_site
	sslm-acme account -q -c liar
	cp certs/.acme/*/account.json was
	run -1 sslm-acme account -d -c liar
	[[ $output == *malformed* ]]
	cmp certs/.acme/*/account.json was
	run -0 sslm-acme order -q -c liar certs/example.com/web/next
}

@test "killed around the answer to a new order: the next run has it, or waits" {
	traceable
	set=certs/example.com/web/next faults=
	waits=0 goes=0
	for name in rename unlink fsync flock write; do
		for ((n = 1; n < 20; n++)); do
			rm -rf site
			mkdir site
			cd site
			line="$name $n"
			lie_site
			sslm-acme account -q -c liar
			run strace -qq -o trace -e trace=$name -e inject=$name:signal=KILL:when=$n sslm-acme order -q -c liar $set
			cd ..
			[ "$status" = 137 ] || break
			cd site
			n1=$(asked || :)
			if [ -e $set/failed ] && [ ! -e $set/order.json ]; then
				count 1 60
				run -75 sslm-acme order -q -c liar $set
				[ "$(asked || :)" = "$n1" ]
				waits=$((waits + 1))
			else
				[ ! -e $set/order.json ] || url=$(jq -r .url $set/order.json)
				run -0 sslm-acme order -q -c liar $set
				[ "$n1" = 0 ] || [ "$(jq -r .url $set/order.json)" = "$url" ]
				[ "$(asked)" = 1 ]
				[ ! -e $set/failed ]
				goes=$((goes + 1))
			fi
			cd ..
		done
	done
	echo "$waits $goes"
	[ $waits -ge 3 ]
	[ $goes -ge 3 ]
}
