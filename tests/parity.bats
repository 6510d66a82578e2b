# doc/PARITY.md names tests; they have to be there.
setup() { load helper; workdir; }

# "file: name" of every test that the table names, a line each.
named() {
	grep '^|' "$TOP/doc/PARITY.md" | awk -F' [|] ' 'NF == 3 { print $3 }' | sed 's/ |$//' |
	    grep -oE '`[a-z-]+: ([^`]|`[^;|])*`' | sed 's/^`//; s/`$//'
}

@test "every test that the table names is there" {
	named >names
	[ "$(wc -l <names)" -gt 100 ]
	while IFS= read -r line; do
		grep -qF -- "@test \"${line#*: }\" {" "$TOP/tests/${line%%: *}.bats" || echo "$line"
	done <names >missing
	cat missing
	[ ! -s missing ]
}

@test "every row of the table names a test" {
	run ! sh -c "grep '^|' '$TOP/doc/PARITY.md' | sed '/^## Not there/,\$d' | awk -F' [|] ' 'NF == 3' |
	    grep -v 'shown by' | grep -v '^|---' | grep -vE '\`[a-z-]+: '"
}

@test "every option of ssl-mgr is in the table" {
	for option in h -help v -verb f -force r -reuse d -debug t -test n -dry-run s -status renew roll \
	    roll-mins -min-roll-mins dns -dns-refresh clean-keep clean-all keys csr cert copy ntoc \
	    certs-prod fsr a k; do
		grep -qE "^\| [^|]*[ \`]-${option}[ \`,]" "$TOP/doc/PARITY.md" || {
			echo "$option"
			false
		}
	done
}

@test "every key of ssl-mgr is in the table" {
	for key in verb sslm_auth_hook prod_cert_dir logdir clean_keep min_roll_mins renew_expire_days \
	    renew_expire_days_spread dns_check_delay dns_xtra_ns post_copy_cmd active domain services \
	    dns_primary server port restart_cmd acme_dir tlsa_dirs depends servers svc_depends \
	    skip_prod_copy server_dir ca_desc ca_type ca_validation ca_preferred_chain \
	    ca_preferred_acme_profile name group service signing_ca dane_tls ktype ec_algo rsa_bits \
	    CN O OU L ST C email sans sign_end_days digest; do
		grep -qE "^\| [^|]*[][\` ]${key}[][\` ]" "$TOP/doc/PARITY.md" || {
			echo "$key"
			false
		}
	done
}
