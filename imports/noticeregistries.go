package imports

import (
	"net/http"
	"strings"
)

// readDistribution reads the envelope of distribution, which GitLab's registry and
// many others send (distribution's docs/content/about/notifications.md).
func readDistribution(_ http.Header, body []byte) (Notice, error) {
	var envelope struct {
		Events []struct {
			ID     string
			Action string
			Target struct{ Repository, Tag string }
		}
	}
	if err := readJSON(body, &envelope); err != nil {
		return Notice{}, err
	}
	var n Notice
	for _, e := range envelope.Events {
		if e.Action == "push" && e.Target.Tag != "" {
			n.Delivery += e.ID
			n.Pushed = append(n.Pushed, Pushed{e.Target.Repository, e.Target.Tag})
		}
	}
	return n, nil
}

// readHarbor reads what Harbor sends for PUSH_ARTIFACT (its guide "Configure Webhook
// Notifications"). An artifact without a tag has its digest in the tag's place.
func readHarbor(_ http.Header, body []byte) (Notice, error) {
	var event struct {
		Type      string
		EventData struct {
			Resources  []struct{ Tag string }
			Repository struct {
				FullName string `json:"repo_full_name"`
			}
		} `json:"event_data"`
	}
	if err := readJSON(body, &event); err != nil {
		return Notice{}, err
	}
	var n Notice
	for _, r := range event.EventData.Resources {
		if event.Type == "PUSH_ARTIFACT" && r.Tag != "" && !strings.Contains(r.Tag, ":") {
			n.Pushed = append(n.Pushed, Pushed{event.EventData.Repository.FullName, r.Tag})
		}
	}
	return n, nil
}

// readZot reads a CloudEvent of zot's events extension, whose attributes are in the
// headers or around the data.
func readZot(h http.Header, body []byte) (Notice, error) {
	type image struct{ Name, Reference string }
	id, kind := h.Get("Ce-Id"), h.Get("Ce-Type")
	var found image
	var err error
	if kind != "" {
		err = readJSON(body, &found)
	} else {
		var event struct {
			ID, Type string
			Data     image
		}
		err = readJSON(body, &event)
		id, kind, found = event.ID, event.Type, event.Data
	}
	n := Notice{Delivery: id}
	if strings.HasSuffix(kind, ".image.updated") && found.Reference != "" && !strings.Contains(found.Reference, ":") {
		n.Pushed = []Pushed{{found.Name, found.Reference}}
	}
	return n, err
}
