package router

import (
	_ "embed" // the page
	"net/http"
	"strconv"
	"strings"
)

// Code names a failure as Heroku does (devcenter: error-codes). It is in the
// error page, in the header X-Renga-Error, in logs and in [Record].
type Code string

// The codes this router gives.
const (
	H10 Code = "H10" // the app crashed
	H11 Code = "H11" // all dynos have as many requests as they may
	H12 Code = "H12" // no answer in time after the whole request
	H13 Code = "H13" // the dyno closed the connection without an answer
	H14 Code = "H14" // no web dynos are wanted
	H15 Code = "H15" // the dyno let the connection idle
	H17 Code = "H17" // the dyno's answer is no HTTP, or its headers are too long
	H18 Code = "H18" // the dyno broke off in the middle of its answer
	H19 Code = "H19" // connecting took too long
	H20 Code = "H20" // the app did not start in time
	H21 Code = "H21" // connections are refused
	H25 Code = "H25" // the dyno's answer is over a limit
	H26 Code = "H26" // the request is malformed
	H27 Code = "H27" // the client went away
	H28 Code = "H28" // the client let the connection idle
	H31 Code = "H31" // the connection is for another app than the request
	H80 Code = "H80" // maintenance mode
	H81 Code = "H81" // nothing was released yet
	H99 Code = "H99" // a fault of the platform's own
	// NoSuchApp is not Heroku's: it has a page for it, but no code.
	NoSuchApp Code = "no-such-app"
)

// statusClientClosed is the status in the log when the client has gone (nginx's
// and Heroku's number).
const statusClientClosed = 499

// answer is how a code is told to the client.
type answer struct {
	status int
	desc   string // Heroku's words, for logs
	page   []byte // HTML; nil when the connection is broken off instead
}

//go:embed pages/error.html
var errorPage string

// pageStyle is what a page says before the sentence of its code.
type pageStyle struct{ title, heading, mark string }

var (
	failed      = pageStyle{"Application error", "Something went wrong here", "#c2503a"}
	maintenance = pageStyle{"Offline for maintenance", "Back in a little while", "#c98a1b"}
	blank       = pageStyle{"Blank app", "This app is ready for its first release", "#3a7ca5"}
	nothing     = pageStyle{"No such app", "There is nothing at this address", "#7a8294"}
)

// answers lists all codes with their pages ready to send.
func answers() map[Code]answer {
	const busy = http.StatusServiceUnavailable
	return map[Code]answer{
		H10: {busy, "App crashed", page(failed, H10,
			"The application crashed. Its owner finds the reason in its logs.")},
		H11: {busy, "Backlog too deep", page(failed, H11,
			"The application has more requests than it can take. Try again in a moment.")},
		H12: {busy, "Request timeout", page(failed, H12, "The application took too long to answer.")},
		H13: {
			busy, "Connection closed without response", page(failed, H13,
				"The application closed the connection without an answer."),
		},
		H14: {
			busy, "No web processes running", page(failed, H14,
				"The application has no web dynos. Its owner can scale web up to 1 or more."),
		},
		H15: {busy, "Idle connection", page(failed, H15, "The application fell silent.")},
		H17: {
			busy, "Poorly formatted HTTP response", page(failed, H17, "The application gave an answer that is not valid HTTP."),
		},
		H18: {
			busy, "Server Request Interrupted", page(failed, H18, "The application broke off in the middle of its answer."),
		},
		H19: {busy, "Backend connection timeout", page(failed, H19, "The application could not be reached in time.")},
		H20: {busy, "App boot timeout", page(failed, H20,
			"The application did not start in time. Its owner finds the reason in its logs.")},
		H21: {busy, "Backend connection refused", page(failed, H21, "The application refuses connections.")},
		H25: {
			http.StatusBadGateway, "HTTP Restriction", page(failed, H25, "The application gave an answer that is over a limit."),
		},
		H26: {http.StatusBadRequest, "Request Error", page(failed, H26, "The request is malformed.")},
		H27: {statusClientClosed, "Client Request Interrupted", nil},
		H28: {statusClientClosed, "Client Connection Idle", nil},
		H31: {
			http.StatusMisdirectedRequest, "Misdirected Request",
			page(failed, H31, "The request came over a connection that was made for another application."),
		},
		H80: {busy, "Maintenance mode", page(maintenance, H80,
			"The application is being worked on and will be back soon.")},
		H81: {busy, "Blank app", page(blank, H81,
			"Nothing was released here yet. The first push of an image will show up at this address.")},
		H99: {busy, "Platform error", page(failed, H99, "The platform made a mistake. Try again in a moment.")},
		NoSuchApp: {
			http.StatusNotFound, "No such app", page(nothing, NoSuchApp,
				"There is no application at this address. Check its name."),
		},
	}
}

// page fills in the page. All of it is constant, so nothing needs escaping.
func page(l pageStyle, code Code, text string) []byte {
	places := strings.NewReplacer("{{title}}", l.title, "{{heading}}", l.heading, "{{mark}}", l.mark,
		"{{code}}", string(code), "{{text}}", text)
	return []byte(places.Replace(errorPage))
}

// write sends the page.
func (a answer) write(w http.ResponseWriter, code Code) error {
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(a.page))}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Renga-Error"] = []string{string(code)}
	w.WriteHeader(a.status)
	_, err := w.Write(a.page)
	return err
}
