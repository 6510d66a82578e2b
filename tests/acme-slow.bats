# sslm-acme at a CA that takes its time: no run takes longer than two minutes.  All
# of them wait side by side.
setup_file() { load helper; load acme; load hostile; lies_begin; }
setup() { load helper; load acme; load hostile; workdir; }
teardown_file() { load acme; lab_stop; }

@test "a CA that never comes to an end" {
	LIES=20 LIMIT=120
	lies <<-'END'
		75 account hang@dir | dir:
		75 account slow-header@dir | dir:
		75 account slow-body@dir | dir:
		75 order hang@new-order | new-order:
		75 order slow-body@authz | authz
		75 order status:503,10@new-order | not before
		75 finish hang@finalize | finalize
		75 finish slow-body@cert | cert
		75 finish stuck:pending@order | pending
		75 finish stuck:processing@order | processing
		75 finish stuck:processing@order header:Retry-After=1@order | processing
		75 finish stuck:processing@order header:Retry-After=0@order | processing
		75 finish stuck:processing@order header:Retry-After=-5@order | processing
		75 finish stuck:processing@order header:Retry-After=31536000@order | processing
		75 finish stuck:processing@order header:Retry-After=soon@order | processing
		75 finish stuck:ready@order,finalize | .
		75 finish stuck:pending@order,finalize,authz | pending
	END
}

@test "silence instead of TLS" {
	line='75 account connect:silence | dir:'
	lie "$line" >says
	cat says
	[ ! -s says ]
}
