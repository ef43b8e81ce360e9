// Package e2e tells the user stories of the platform as tests against the real
// binary, a real Docker Engine, a real Redis and real clients.
//
// A story is a script in testdata, such as push.txtar. Each script runs on a
// [Platform] of its own, with a data directory and ports, which knows nothing of
// the others on the same engine. Stories that need loops, clocks or randomness are
// Go tests, which use the Platform directly:
//
//	w := kit.Platform(t)
//	if err := w.Start(ctx); err != nil { … }
//	img, err := w.Image(e2e.Image{Version: "v1"})
//	err = w.PushImage(ctx, "hello", img)
//	answer, err := w.Get(ctx, "hello", "/")
//
// Every platform serves HTTPS as well, with a CA of its own. One made with
// [WithHosts] is reached as in real life: by names that the system resolves, on
// ports 80 and 443.
//
// A platform removes what it made when its test ends. A run that is killed cannot:
// its processes end with it, and whatever else it left on the machine the next
// run removes, by a journal in the user's cache. What a test does to the machine by
// itself it tells beforehand with [Platform.Undo].
//
// # Words of the scripts
//
// Besides the words of testscript (env, exec, stdout, stderr, cmp, …), which
// [testscript] documents, there are:
//
//	renga start [--flag=value | NAME=value]…   start the platform and wait until it is healthy
//	renga launch [--flag=value | NAME=value]…  the same without waiting
//	renga stop | kill                          end it with SIGTERM, or with SIGKILL
//	renga restart                              stop, and start as before
//	renga log                                  print what it logged
//	renga run ARGS…                            run the binary with other arguments, on the same data
//	image [-label k=v] [-env k=v] [-platform os/arch] [-bare] [-healthcheck VERB] NAME [VERB ARGS…]
//	                                           make an image of the test app; GET / answers "hello from NAME"
//	push [docker|crane] NAME REPOSITORY[:TAG]  push it: in process, or with the docker or crane command
//	api METHOD PATH [BODY]                     ask the API; prints the status, the JSON without spaces, and a Warning
//	login EMAIL PASSWORD                       make a token, as heroku login -i does; prints as api does
//	curl [-i] [-any] [-times=N] HOST PATH       ask an app through the router; HOST may be an app's name
//	tls HOST                                   print whose certificate HTTPS has for a host
//	containers APP                             list the app's running dynos: "web.1 v3 <container>"
//	logs APP                                   print the app's log
//	follow APP                                 begin to follow the app's log
//	followed                                   read to the end what was followed
//	docker ARGS…                               run the docker command
//	capture NAME PATTERN                       set NAME to what the pattern's group matched in stdout
//	waitfor WORD ARGS… [-- PATTERN…]           repeat a word until it succeeds and stdout matches
//	waitup HOST TEXT                           wait until GET / of an app answers with the text
//	waitgone CONTAINER                         wait until a container runs no longer
//	redis ARGS…                                run redis-cli on the platform's own Redis
//
// Scripts find in their environment: DATA, the data directory; ADDR, PORT,
// REGISTRY and DOMAIN, where the platform is reached. With RENGA_TOKEN set, api
// and follow use that token instead of the operator's; with IDEMPOTENCY_KEY set,
// api sends it.
//
// A leading ! means that the word must fail: api and curl fail on a status of
// 400 and above, curl -any does not.
//
// A script looks at what each of its words did; see [Unlooked], which a test asks
// about all of them.
//
// [testscript]: https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript
package e2e
