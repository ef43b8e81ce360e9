package imports

import (
	"net/http"
	"strings"
)

// readDockerHub reads Docker Hub's webhook (Docker's guide "Docker Hub webhooks").
func readDockerHub(_ http.Header, body []byte) (Notice, error) {
	var event struct {
		PushData struct {
			Tag string
		} `json:"push_data"`
		Repository struct {
			Name string `json:"repo_name"`
		}
	}
	err := readJSON(body, &event)
	if event.PushData.Tag == "" {
		return Notice{}, err
	}
	return Notice{Pushed: []Pushed{{event.Repository.Name, event.PushData.Tag}}}, err
}

// readQuay reads Quay's notification repo_push (its guide "Repository notifications"):
// the tags are a list, or, from older ones, the names of an object.
func readQuay(_ http.Header, body []byte) (Notice, error) {
	var event struct {
		Repository string
		Tags       any `json:"updated_tags"`
	}
	err := readJSON(body, &event)
	var n Notice
	switch tags := event.Tags.(type) {
	case []any:
		for _, tag := range tags {
			if name, ok := tag.(string); ok {
				n.Pushed = append(n.Pushed, Pushed{event.Repository, name})
			}
		}
	case map[string]any:
		for name := range tags {
			n.Pushed = append(n.Pushed, Pushed{event.Repository, name})
		}
	}
	return n, err
}

// readECR reads the event "ECR Image Action" that EventBridge passes on (Amazon's
// guide "Amazon ECR events and EventBridge").
func readECR(_ http.Header, body []byte) (Notice, error) {
	var event struct {
		ID     string
		Detail struct {
			Action     string `json:"action-type"`
			Result     string
			Repository string `json:"repository-name"`
			Tag        string `json:"image-tag"`
		}
	}
	err := readJSON(body, &event)
	n := Notice{Delivery: event.ID}
	if d := event.Detail; d.Action == "PUSH" && d.Result == "SUCCESS" && d.Tag != "" {
		n.Pushed = []Pushed{{d.Repository, d.Tag}}
	}
	return n, err
}

// readArtifactRegistry reads what Google's Artifact Registry publishes to the topic
// gcr, as Pub/Sub pushes it (Google's guide "Configure Pub/Sub notifications").
func readArtifactRegistry(_ http.Header, body []byte) (Notice, error) {
	var push struct {
		Message struct {
			Data []byte // base64 in the JSON
			ID   string `json:"messageId"`
		}
	}
	if err := readJSON(body, &push); err != nil {
		return Notice{}, err
	}
	var event struct{ Action, Tag string }
	err := readJSON(push.Message.Data, &event)
	n := Notice{Delivery: push.Message.ID}
	if repository, tag := tagOf(event.Tag); event.Action == "INSERT" && tag != "" {
		n.Pushed = []Pushed{{repository, tag}}
	}
	return n, err
}

// readGitHub reads GitHub's events package and registry_package, for images of ghcr
// (GitHub's guide "Webhook events and payloads").
func readGitHub(h http.Header, body []byte) (Notice, error) {
	type pkg struct {
		Name, Namespace string
		Kind            string `json:"package_type"`
		Owner           struct{ Login string }
		Version         struct {
			Container struct {
				Tag struct{ Name string }
			} `json:"container_metadata"`
		} `json:"package_version"`
	}
	var event struct {
		Action          string
		Package         *pkg
		RegistryPackage *pkg `json:"registry_package"`
	}
	err := readJSON(body, &event)
	n, p := Notice{Delivery: h.Get("X-Github-Delivery")}, event.Package
	if p == nil {
		p = event.RegistryPackage
	}
	if p == nil || event.Action != "published" && event.Action != "updated" || !strings.EqualFold(p.Kind, "container") {
		return n, err
	}
	owner := p.Namespace
	if owner == "" {
		owner = p.Owner.Login
	}
	if tag := p.Version.Container.Tag.Name; tag != "" {
		n.Pushed = []Pushed{{strings.ToLower(owner + "/" + p.Name), tag}}
	}
	return n, err
}

// readGitea reads the event package of Gitea and Forgejo (their guides "Webhooks").
// What was pushed without a tag has its digest for a version.
func readGitea(h http.Header, body []byte) (Notice, error) {
	var event struct {
		Action  string
		Package struct {
			Name, Type, Version string
			Owner               struct{ Login string }
		}
	}
	err := readJSON(body, &event)
	n, p := Notice{Delivery: h.Get("X-Gitea-Delivery")}, event.Package
	if event.Action == "created" && p.Type == "container" && p.Version != "" && !strings.Contains(p.Version, ":") {
		n.Pushed = []Pushed{{strings.ToLower(p.Owner.Login + "/" + p.Name), p.Version}}
	}
	return n, err
}
