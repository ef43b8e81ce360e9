package renga

import "unicode/utf8"

// Head is the first n bytes of a text or, where that would cut a character, up
// to three fewer. What is no UTF-8 is cut where it is.
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
