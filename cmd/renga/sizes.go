package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"renga"
)

// defaultSizes are Heroku's, by their names in lower case.
func defaultSizes() map[string]renga.Size {
	const mb, gb = 1 << 20, 1 << 30
	all := map[string]renga.Size{}
	for _, s := range []renga.Size{
		{Name: "eco", MemoryBytes: 512 * mb, CPUs: 0.5, Pids: 256, DiskBytes: gb},
		{Name: "basic", MemoryBytes: 512 * mb, CPUs: 1, Pids: 256, DiskBytes: gb},
		{Name: "standard-1x", MemoryBytes: 512 * mb, CPUs: 1, Pids: 256, DiskBytes: 2 * gb},
		{Name: "standard-2x", MemoryBytes: 1024 * mb, CPUs: 2, Pids: 512, DiskBytes: 4 * gb},
		{Name: "performance-m", MemoryBytes: 2560 * mb, CPUs: 2, Pids: 16384, DiskBytes: 8 * gb},
		{Name: "performance-l", MemoryBytes: 14336 * mb, CPUs: 8, Pids: 32768, DiskBytes: 16 * gb},
	} {
		all[s.Name] = s
	}
	return all
}

var sizeName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)

// sizes reads name=memory:cpus or name=memory:cpus:disk, separated by commas, over
// the default ones.
func sizes(at *map[string]renga.Size) func(string) error {
	return func(v string) error {
		*at = defaultSizes()
		if v == "" {
			return nil
		}
		for one := range strings.SplitSeq(v, ",") {
			size, err := parseSize(strings.TrimSpace(one))
			if err != nil {
				return err
			}
			(*at)[size.Name] = size
		}
		return nil
	}
}

const (
	// minMemory is the least a container can start with.
	minMemory = 6 << 20
	// minDisk is enough for the files that every program has some of.
	minDisk = 1 << 20
	// usualDisk is what a size has whose disk is not told.
	usualDisk = 2 << 30
)

func parseSize(v string) (renga.Size, error) {
	name, rest, _ := strings.Cut(v, "=")
	parts := strings.Split(rest, ":")
	if len(parts) < 2 || len(parts) > 3 || !sizeName.MatchString(name) {
		return renga.Size{}, fmt.Errorf(
			"%q is neither name=memory:cpus nor name=memory:cpus:disk, such as standard-1x=512MB:1:2GB", v)
	}
	memory, cpus := parts[0], parts[1]
	bytes, err := parseBytes(memory)
	if err != nil {
		return renga.Size{}, err
	}
	if bytes < minMemory {
		return renga.Size{}, fmt.Errorf("size %s: %s of memory is too little; did you mean %sMB", name, memory, memory)
	}
	n, err := strconv.ParseFloat(cpus, 64)
	if err != nil || n < 0.01 || n > 1024 {
		return renga.Size{}, fmt.Errorf("size %s: %q is no number of CPUs, such as 0.5", name, cpus)
	}
	disk := int64(usualDisk)
	if len(parts) == 3 {
		if disk, err = parseBytes(parts[2]); err != nil {
			return renga.Size{}, err
		}
		if disk != 0 && disk < minDisk {
			return renga.Size{}, fmt.Errorf(
				"size %s: %s of disk is too little; did you mean %sMB, or 0 for no bound", name, parts[2], parts[2])
		}
	}
	return renga.Size{Name: name, MemoryBytes: bytes, CPUs: n, Pids: 512, DiskBytes: disk}, nil
}

func size(at *int64) func(string) error {
	return func(v string) (err error) {
		*at, err = parseBytes(v)
		return err
	}
}

var bytesText = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([kKMGT]?)(i?)[bB]?$`)

// parseBytes reads a number of bytes: 1500, 512MB, 1.5GiB. As for memory
// everywhere in Docker, MB and MiB both mean 2^20 bytes.
func parseBytes(v string) (int64, error) {
	m := bytesText.FindStringSubmatch(v)
	if m == nil {
		return 0, fmt.Errorf("%q is no size such as 512MB or 2GB", v)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size such as 512MB or 2GB", v)
	}
	n *= math.Pow(1024, float64(strings.Index(" KMGT", strings.ToUpper(m[2] + " ")[:1])))
	if n >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too large", v)
	}
	return int64(n), nil
}
