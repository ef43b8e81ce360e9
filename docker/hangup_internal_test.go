package docker

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheSessionOfAProcessIsRead(t *testing.T) {
	want, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := sessionOf(os.Getpid()); got != want {
		t.Errorf("ours is %d, want %d", got, want)
	}
	for stat, want := range map[string]int{
		"12 (sleep) S 1 12 13 0": 13, "12 (a) b) (c) R 1 12 14 0": 14, "12 (sleep) Z 1 12 13 0": 0,
		"12 (sleep)": 0, "": 0, "12 (x) S 1 2 many": 0,
	} {
		if got := parseSession([]byte(stat)); got != want {
			t.Errorf("%q: %d, want %d", stat, got, want)
		}
	}
}

func TestProcessesOfNoContainerAreLeftAlone(t *testing.T) {
	session := sessionOf(os.Getpid())
	found, err := members(session, strings.Repeat("a", 64))
	if err != nil || len(found) > 0 {
		t.Errorf("of our session it finds %v, %v", found, err)
	}
}

func FuzzParseSession(f *testing.F) {
	f.Add([]byte("12 (sleep) S 1 12 13 0"))
	f.Fuzz(func(t *testing.T, stat []byte) { parseSession(stat) })
}
