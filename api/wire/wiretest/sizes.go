package wiretest

import (
	"renga"
)

// Marker is a config var's value that may be seen in the answers about config
// vars and nowhere else.
const Marker = "marker-5e3c4a1d"

var Sizes = map[string]renga.Size{
	"eco":           {Name: "eco", MemoryBytes: 512 << 20, CPUs: 0.5},
	"standard-1x":   {Name: "standard-1x", MemoryBytes: 512 << 20, CPUs: 1},
	"standard-2x":   {Name: "standard-2x", MemoryBytes: 1 << 30, CPUs: 1},
	"performance-m": {Name: "performance-m", MemoryBytes: 2560 << 20, CPUs: 2},
}
