package addons

import (
	"fmt"
	"net/http"

	"renga"
	"renga/api/wire"
)

// Usages know what add-ons use.
type Usages interface {
	// Usage is what an add-on used when it was measured last; zero before that.
	Usage(id renga.AddOnID) renga.AddOnUsage
}

func (s *Server) usageRoutes() []wire.Route {
	return []wire.Route{wire.Get("/addons/{addon}/usage", wire.Reading, s.addOnUsage)}
}

// addOnUsage is what an add-on uses as JSON. What is not known is null.
type addOnUsage struct {
	AddOn       wire.Ref  `json:"addon"`
	MeasuredAt  *string   `json:"measured_at"`
	MemoryBytes *share    `json:"memory_bytes"`
	DataBytes   *share    `json:"data_bytes"`
	Connections *share    `json:"connections"`
	Warnings    []warning `json:"warnings"`
}

// share is how much of something is used; Limit is null where there is none.
type share struct {
	Used  int64  `json:"used"`
	Limit *int64 `json:"limit"`
}

// warning is what an add-on has nearly used up, and the percentage that it went over.
type warning struct {
	Of      renga.Measure `json:"of"`
	Percent int           `json:"percent"`
}

func warningsOf(a renga.AddOn) []warning {
	all := []warning{}
	for _, m := range a.Warnings.Of() {
		all = append(all, warning{m, a.Warnings[m]})
	}
	return all
}

func shareOf(u renga.AddOnUsage, m renga.Measure) *share {
	s, known := u.Shares[m]
	if !known {
		return nil
	}
	x := &share{Used: s.Used}
	if s.Limit > 0 {
		x.Limit = &s.Limit
	}
	return x
}

func (s *Server) addOnUsage(w http.ResponseWriter, r *http.Request) error {
	a, _, err := s.addOnOf(r)
	if err != nil {
		return err
	}
	u := s.parts.Usages.Usage(a.ID)
	return wire.Answer(w, http.StatusOK, addOnUsage{
		AddOn: wire.Ref{ID: string(a.ID), Name: a.Name}, MemoryBytes: shareOf(u, renga.MeasureMemory),
		DataBytes: shareOf(u, renga.MeasureData), Connections: shareOf(u, renga.MeasureConnections), Warnings: warningsOf(a),
		MeasuredAt: wire.StampOrNull(u.At),
	})
}

// usageFacts are what pg:info and redis:info show of it.
func usageFacts(u renga.AddOnUsage) []fact {
	var all []fact
	if s, known := u.Shares[renga.MeasureConnections]; known {
		all = append(all, fact{"Connections", []string{ofLimit(s, func(n int64) string { return fmt.Sprint(n) })}})
	}
	if s, known := u.Shares[renga.MeasureData]; known {
		all = append(all, fact{"Data Size", []string{percentOf(s)}})
	}
	if s, known := u.Shares[renga.MeasureMemory]; known {
		all = append(all, fact{"Memory", []string{percentOf(s)}})
	}
	return all
}

// ofLimit is a figure as Heroku writes it: 3/20.
func ofLimit(s renga.Share, write func(int64) string) string {
	if s.Limit <= 0 {
		return write(s.Used)
	}
	return write(s.Used) + "/" + write(s.Limit)
}

// percentOf is a figure of bytes with its part: 7.9 MB/1.0 GB (0%).
func percentOf(s renga.Share) string {
	text := ofLimit(s, bytes)
	if s.Limit > 0 {
		text += fmt.Sprintf(" (%d%%)", s.Percent())
	}
	return text
}

// bytes writes bytes for people.
func bytes(n int64) string {
	x, unit := float64(n)/(1<<20), "MB"
	if x >= 1<<10 {
		x, unit = x/(1<<10), "GB"
	}
	return fmt.Sprintf("%.1f %s", x, unit)
}
