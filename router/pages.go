package router

import (
	_ "embed" // the frame
	"html"
	"strings"
)

//go:embed pages/frame.html
var frame string

// framePage puts an app's own page into the platform's answer, in a frame, for
// it is another server's and not ours to read. Errors of the request and of the
// platform keep the platform's page.
func (a *app) framePage(plain answer, code Code) answer {
	if a == nil || plain.page == nil {
		return plain
	}
	url := a.route.Pages.Error
	switch code {
	case H80:
		url = a.route.Pages.Maintenance
	case H25, H26, H81, H99, NoSuchApp:
		return plain
	}
	if url != "" {
		plain.page = []byte(strings.NewReplacer("{{code}}", string(code), "{{url}}", html.EscapeString(url)).Replace(frame))
	}
	return plain
}
