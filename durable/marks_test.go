package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"renga/durable"
	"renga/durable/durabletest"
)

// TestLevelsBeginAtTheirMarksAndEndAboveThem on a real file system of 32 MiB.
func TestLevelsBeginAtTheirMarksAndEndAboveThem(t *testing.T) {
	dir := durabletest.SmallDisk(t, 32)
	file := filepath.Join(dir, "filler")
	marks := &durable.Marks{Dir: dir, Low: 16 << 20, Full: 8 << 20}
	for _, step := range []struct {
		used int // MiB
		want durable.Level
	}{
		{10, durable.OK}, {17, durable.Low}, {15, durable.Low}, {11, durable.OK}, // low ends at 20 free
		{25, durable.Full}, {23, durable.Full}, {21, durable.Low}, // full ends at 10 free
		{23, durable.Low}, {25, durable.Full}, {5, durable.OK},
	} {
		if err := os.WriteFile(file, make([]byte, step.used<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		level, free, err := marks.Look()
		if err != nil || level != step.want || free > int64(32-step.used)<<20 {
			t.Errorf("with %d MiB used: level %d, %d bytes free, %v; want level %d", step.used, level, free, err, step.want)
		}
	}
	if level, _, err := (&durable.Marks{Dir: dir}).Look(); err != nil || level != durable.OK {
		t.Errorf("without marks: level %d, %v", level, err)
	}
	if _, _, err := (&durable.Marks{Dir: filepath.Join(dir, "away")}).Look(); err == nil {
		t.Error("a disk that is not there has a level")
	}
}
