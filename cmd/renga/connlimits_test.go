package main

import (
	"syscall"
	"testing"

	"renga/front"
)

func TestClientsLeaveFilesForOurselves(t *testing.T) {
	for _, test := range []struct {
		files int
		s     Settings
		want  front.ConnLimits
	}{
		{400, Settings{}, front.ConnLimits{All: 136, PerAddress: 34, Files: 272}},
		{1024, Settings{}, front.ConnLimits{All: 384, PerAddress: 96, Files: 768}},
		{1 << 20, Settings{}, front.ConnLimits{All: 20000, PerAddress: 5000, Files: 1<<20 - 8192}},
		{
			1 << 20, Settings{MaxConnections: 100_000, MaxConnectionsPerAddress: 7},
			front.ConnLimits{All: 100_000, PerAddress: 7, Files: 1<<20 - 8192},
		},
		{1024, Settings{MaxConnections: 100_000}, front.ConnLimits{All: 384, PerAddress: 96, Files: 768}},
		{20, Settings{}, front.ConnLimits{All: 1, PerAddress: 1, Files: 1}},
	} {
		if got := connLimits(test.s, test.files); got != test.want {
			t.Errorf("%d files, %d connections: %+v, want %+v", test.files, test.s.MaxConnections, got, test.want)
		}
	}
}

func TestTheLimitOfFilesIsRaised(t *testing.T) {
	var before, after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	low := syscall.Rlimit{Cur: before.Max - 1, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	files, err := raiseFiles()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &after); err != nil {
		t.Fatal(err)
	}
	if after.Cur != before.Max || uint64(files) > after.Cur {
		t.Errorf("%d files, the limit is %+v", files, after)
	}
}
