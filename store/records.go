package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// The stored forms are named records: appRecord, releaseRecord and so on, each
// beside what is done with it. Names of their fields are part of the schema and
// never change their meaning; fields that a newer Renga added are skipped when
// read.

// encode is for our own records, which always can be encoded.
func encode(record any) string {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", record, err)) // a time beyond year 9999: a bug of ours
	}
	return string(b)
}

// decode reads what encode wrote; key names it when it is damaged.
func decode[T any](key, text string) (T, error) {
	var record T
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return record, fmt.Errorf("read %s: %w", key, err)
	}
	return record, nil
}

func decodeTimes(key string, fields map[string]string) (map[string]time.Time, error) {
	times := make(map[string]time.Time, len(fields))
	for name, text := range fields {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		times[name] = at.UTC()
	}
	return times, nil
}

// text is field i of an HMGET; false when it is missing.
func text(fields []any, i int) (string, bool) {
	if i >= len(fields) {
		return "", false
	}
	s, ok := fields[i].(string)
	return s, ok
}
