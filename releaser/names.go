package releaser

import (
	"fmt"
	"math/rand/v2"
)

// Invented names are an adjective, a noun and a number, as on Heroku.
var (
	adjectives = []string{
		"ancient", "autumn", "bitter", "bold", "calm", "cool", "damp", "dawn", "dry", "early",
		"evening", "falling", "floral", "frosty", "gentle", "golden", "hidden", "holy", "icy", "late",
		"little", "lively", "long", "misty", "morning", "mute", "nameless", "old", "patient", "plain",
		"polished", "proud", "quiet", "rough", "shy", "silent", "small", "snowy", "still", "young",
	}
	nouns = []string{
		"bird", "breeze", "brook", "bush", "cherry", "cloud", "crane", "dew", "dream", "dust",
		"feather", "field", "fire", "flower", "fog", "forest", "frog", "frost", "glade", "grass",
		"haze", "hill", "lake", "leaf", "meadow", "moon", "mountain", "night", "pine", "plum",
		"pond", "rain", "reed", "resonance", "river", "sea", "shadow", "snow", "star", "wind",
	}
)

// inventName makes up a name such as silent-pond-48213. Sixteen hundred words
// times ninety thousand numbers: a clash is refused like any taken name.
func inventName() string {
	return fmt.Sprintf("%s-%s-%d", adjectives[rand.IntN(len(adjectives))], nouns[rand.IntN(len(nouns))],
		10000+rand.IntN(90000))
}
