package renga

import "unicode/utf8"

// Head is the first n bytes of a text or, where that would cut a character, up
// to three fewer. Text that is not UTF-8 is cut at n.
func Head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for end := n; end > n-utf8.UTFMax && end >= 0; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end]
		}
	}
	return s[:n]
}

// Clip is Head for outside input that is put into a message: it shows that
// something is left out.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return Head(s, n) + "…"
}
