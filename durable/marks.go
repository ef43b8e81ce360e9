package durable

import "sync"

// Level tells how full a disk is.
type Level int

// The levels of a disk, from good to bad.
const (
	OK   Level = iota
	Low        // less is free than Marks.Low
	Full       // less is free than Marks.Full
)

// Marks say when the disk of a directory is low, and when it counts as full. A level
// begins below its mark and ends a quarter above it, so that it does not come and go
// with every file. All who share the Marks see the same level.
type Marks struct {
	Dir string
	// Low and Full are bytes that are free; 0 for no such level. Low is at least Full.
	Low, Full int64

	mu    sync.Mutex
	level Level
}

// Look looks at the disk: its level now, and how many bytes are free.
func (m *Marks) Look() (Level, int64, error) {
	free, err := FreeBytes(m.Dir)
	if err != nil {
		return OK, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	below := func(mark int64, level Level) bool {
		if m.level >= level {
			mark += mark / 4
		}
		return free < mark
	}
	switch {
	case below(m.Full, Full):
		m.level = Full
	case below(max(m.Low, m.Full), Low):
		m.level = Low
	default:
		m.level = OK
	}
	return m.level, free, nil
}
