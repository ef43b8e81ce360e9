package docker

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/docker/docker/pkg/stdcopy"
)

// frames makes a stream as the daemon sends it; texts with a leading ! are of
// stderr.
func frames(t testing.TB, texts ...string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		kind := stdcopy.Stdout
		if strings.HasPrefix(text, "!") {
			kind, text = stdcopy.Stderr, text[1:]
		}
		if _, err := stdcopy.NewStdWriter(&b, kind).Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

func TestLastLinesKeepsOrderAndPutsPartsTogether(t *testing.T) {
	for _, c := range []struct {
		frames, want []string
		n            int
	}{
		{[]string{"a\n", "!b\n", "c\n"}, []string{"a", "b", "c"}, 10},
		{[]string{"a\n", "!b\n", "c\n"}, []string{"b", "c"}, 2},
		{[]string{"half ", "!other\n", "whole\n"}, []string{"other", "half whole"}, 10},
		{[]string{"a\r\n\n", "end"}, []string{"a", "", "end"}, 10},
		{[]string{"\xff\n"}, []string{"\uFFFD"}, 10},
		{
			[]string{"xx" + strings.Repeat("€", 2000), strings.Repeat("€", 2000) + "\n", "end"},
			[]string{"xx" + strings.Repeat("€", 3332), "end"}, 10,
		},
		{nil, nil, 10},
	} {
		got, err := lastLines(frames(t, c.frames...), c.n)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.frames, got, err, c.want)
		}
	}
}

func TestLastLinesTellsThatTheStreamBroke(t *testing.T) {
	bad := append([]byte{9, 0, 0, 0, 0, 0, 0, 1}, 'x')
	if _, err := lastLines(bytes.NewReader(bad), 10); err == nil {
		t.Error("a stream that is none, and no error")
	}
}

func FuzzLineWriter(f *testing.F) {
	f.Add("a\nb", "c\n", uint8(2))
	f.Add(strings.Repeat("x", maxLineBytes+7), "\n", uint8(1))
	f.Add("\xff\xfe\r\n", "", uint8(3))
	f.Fuzz(func(t *testing.T, one, two string, most uint8) {
		n := int(most%20) + 1
		all := &ring{most: n}
		w := &lineWriter{to: all}
		for _, part := range []string{one, two} {
			if n, err := fmt.Fprint(w, part); err != nil || n != len(part) {
				t.Fatalf("wrote %d of %d: %v", n, len(part), err)
			}
		}
		w.flush()
		if len(all.lines) > n {
			t.Errorf("%d lines; want at most %d", len(all.lines), n)
		}
		for _, line := range all.lines {
			if len(line) > 3*maxLineBytes || strings.Contains(line, "\n") || !utf8.ValidString(line) {
				t.Errorf("line of %d bytes", len(line))
			}
		}
	})
}
