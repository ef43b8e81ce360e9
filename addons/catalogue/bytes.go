package catalogue

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Bytes is a size, written as 512M or 10G.
type Bytes int64

// units are those of sizes, the largest first. As for memory everywhere in
// Docker, they are powers of 1024.
var units = []struct {
	symbol string
	bytes  Bytes
}{{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}}

var bytesText = regexp.MustCompile(`^([1-9][0-9]{0,5})([MGT])B?$`)

// UnmarshalYAML reads a size.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	m := bytesText.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		return lineError(n.Line, "%q is no size: write a whole number with M, G or T, such as 512M", clip(n.Value))
	}
	count, err := strconv.ParseInt(m[1], 10, 64)
	for _, unit := range units {
		if unit.symbol == m[2] {
			*b = Bytes(count) * unit.bytes
		}
	}
	return err
}

// String writes a size as files do, in the largest unit that leaves a whole number.
func (b Bytes) String() string {
	for _, unit := range units {
		if b >= unit.bytes && b%unit.bytes == 0 {
			return strconv.FormatInt(int64(b/unit.bytes), 10) + unit.symbol
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
