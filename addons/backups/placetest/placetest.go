// Package placetest says what every place of backups must do, as tests.
package placetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"renga"
	"renga/addons/backups"
)

// Bench is a place with what its tests need around it.
type Bench struct {
	Place backups.Place
	// Part is how much is written on the way at the latest, in bytes.
	Part int
	// Again is the place as the next process finds it, after this one was killed.
	Again func(t *testing.T) backups.Place
	// Rest waits until nothing is under way any more for a file that was begun; nil where
	// nothing ever is.
	Rest func(f backups.File)
	// Left is all that there is in the place, whole or not.
	Left func(t *testing.T) []string
}

const name = "addon/backup.backup"

// Run runs all tests, each with a place of its own.
func Run(t *testing.T, newBench func(t *testing.T) *Bench) {
	for what, test := range map[string]func(*testing.T, *Bench){
		"what was written is read":                          testContent,
		"nothing is there before it is whole":               testCommit,
		"what is given up leaves nothing":                   testAbort,
		"what a kill cut short is swept, and no more":       testSweep,
		"what was begun goes with its name":                 testRemoveBegun,
		"what is gone is not found, and gone again at will": testGone,
		"what nobody wants any more leaves nothing":         testEnded,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t))
		})
	}
}

// noise is content that nothing compresses, the same for the same seed.
func noise(bytes int, seed byte) []byte {
	content := make([]byte, bytes)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // which never fails
	return content
}

func keep(t *testing.T, in backups.Place, name string, content []byte) {
	t.Helper()
	f := begin(t, in, name, content)
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

// begin writes content in pieces that are no parts.
func begin(t *testing.T, in backups.Place, name string, content []byte) backups.File {
	t.Helper()
	f, err := in.Create(t.Context(), name)
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{bytes.NewReader(content)}, make([]byte, 77_777))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// cutShort begins a file and leaves it, as a kill does.
func (b *Bench) cutShort(t *testing.T, name string) {
	t.Helper()
	f := begin(t, b.Place, name, noise(2*b.Part, 2))
	if b.Rest != nil {
		b.Rest(f)
	}
}

func read(t *testing.T, in backups.Place, name string) []byte {
	t.Helper()
	f, err := in.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return content
}

func testContent(t *testing.T, b *Bench) {
	for of, size := range map[string]int{
		"nothing": 0, "one byte": 1, "a whole part": b.Part, "two parts and a half": b.Part*5/2 + 1,
	} {
		content := noise(size, 1)
		keep(t, b.Place, name+of, content)
		if got := read(t, b.Again(t), name+of); !bytes.Equal(got, content) {
			t.Errorf("of %s %d bytes come back", of, len(got))
		}
	}
}

func testCommit(t *testing.T, b *Bench) {
	f := begin(t, b.Place, name, noise(2*b.Part+1, 1))
	if _, err := b.Place.Open(t.Context(), name); renga.KindOf(err) != renga.NotFound {
		t.Errorf("before it is whole it opens with %v", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := len(read(t, b.Place, name)); got != 2*b.Part+1 {
		t.Errorf("it has %d bytes", got)
	}
}

func testAbort(t *testing.T, b *Bench) {
	for _, size := range []int{0, 1, 2*b.Part + 1} {
		begin(t, b.Place, name, noise(size, 1)).Abort()
		if left := b.Left(t); len(left) != 0 {
			t.Errorf("after %d bytes %v are left", size, left)
		}
	}
}

func testSweep(t *testing.T, b *Bench) {
	kept := noise(2*b.Part, 1)
	keep(t, b.Place, "addon/kept.backup", kept)
	before := len(b.Left(t))
	b.cutShort(t, name)
	b.cutShort(t, "other/first.backup")
	if len(b.Left(t)) == before {
		t.Fatal("there is nothing to sweep")
	}
	next := b.Again(t)
	if err := next.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := b.Left(t); len(left) != before {
		t.Errorf("%v are left", left)
	}
	if got := read(t, next, "addon/kept.backup"); !bytes.Equal(got, kept) {
		t.Errorf("%d bytes are left of what was whole", len(got))
	}
}

func testRemoveBegun(t *testing.T, b *Bench) {
	b.cutShort(t, name)
	if err := b.Again(t).Remove(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if left := b.Left(t); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

func testGone(t *testing.T, b *Bench) {
	keep(t, b.Place, name, noise(10, 1))
	for range 2 {
		if err := b.Place.Remove(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Place.Open(t.Context(), name); renga.KindOf(err) != renga.NotFound {
		t.Errorf("what is gone opens with %v", err)
	}
	if left := b.Left(t); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

func testEnded(t *testing.T, b *Bench) {
	ctx, end := context.WithCancel(t.Context())
	f, err := b.Place.Create(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(noise(2*b.Part, 1)); err != nil {
		t.Fatal(err)
	}
	end()
	_, _ = f.Write(noise(2*b.Part, 1)) // some notice, others do not
	f.Abort()
	if left := b.Left(t); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}
