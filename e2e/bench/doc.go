// Package bench measures the platform as its users meet it: the real binary,
// without the race detector, on a real Docker Engine and a real Redis.
//
//	go test -run '^$' -bench . -timeout 15m ./e2e/bench
//
// Each benchmark takes a fixed number of samples in one platform of its own, so
// -benchtime and -count need not be set. After the last one a table of all
// figures is printed, each beside its aim and the machine's load while it was
// taken. Where a figure depends on the engine, the engine's own time for the
// same work, the floor, is taken in the same run, in turns with the platform's.
//
// When RENGA_BINARY is set, that binary is measured instead of one built now.
// RENGA_BENCH_APPS is how many apps BenchmarkStart makes, 1000 by default.
package bench
