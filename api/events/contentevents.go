package events

import (
	"strings"
	"time"

	"renga"
)

// contentEvent is an event of distribution's notifications
// (github.com/distribution/distribution/v3/notifications, Event). Its source says
// nothing, for there is one registry only.
type contentEvent struct {
	ID        string         `json:"id"`
	Timestamp time.Time      `json:"timestamp"`
	Action    string         `json:"action"` // push, pull, mount, delete
	Target    contentTarget  `json:"target"`
	Request   contentRequest `json:"request"`
	Actor     contentActor   `json:"actor"`
	Source    struct{}       `json:"source"`
}

type contentTarget struct {
	MediaType      string `json:"mediaType,omitempty"`
	Digest         string `json:"digest,omitempty"`
	Size           int64  `json:"size,omitempty"`
	Length         int64  `json:"length,omitempty"` // the same
	Repository     string `json:"repository"`
	FromRepository string `json:"fromRepository,omitempty"`
	URL            string `json:"url,omitempty"` // without a host that is not known
	Tag            string `json:"tag,omitempty"`
}

type contentRequest struct {
	ID        string `json:"id"`
	Addr      string `json:"addr,omitempty"`
	Host      string `json:"host,omitempty"`
	Method    string `json:"method"`
	UserAgent string `json:"useragent"`
}

type contentActor struct {
	Name string `json:"name,omitempty"`
}

func newContentEvent(e renga.Event, c renga.Content) contentEvent {
	shown := contentEvent{
		ID: e.ID, Timestamp: e.At, Action: strings.TrimPrefix(string(e.Kind), "registry:"),
		Target: contentTarget{
			MediaType: c.MediaType, Digest: c.Digest, Size: c.Size, Length: c.Size, Repository: c.Repository,
			FromRepository: c.From, Tag: c.Tag,
		},
		Request: contentRequest{ID: c.RequestID, Addr: c.Addr, Host: c.Host, Method: c.Method, UserAgent: c.UserAgent},
		Actor:   contentActor{Name: c.Email},
	}
	switch {
	case c.Digest == "" || e.Kind == renga.DeleteEvent:
	case e.Kind == renga.MountEvent:
		shown.Target.URL = "/v2/" + c.Repository + "/blobs/" + c.Digest
	default:
		shown.Target.URL = "/v2/" + c.Repository + "/manifests/" + c.Digest
	}
	return shown
}
