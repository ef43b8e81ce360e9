package api

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"renga"
	"renga/api/wire"
)

// rateLimitPath is where clients ask how many requests their account has left. That
// request is not counted.
const rateLimitPath = "/account/rate-limits"

func (s *Server) rateLimitRoutes() []wire.Route {
	return []wire.Route{wire.Get(rateLimitPath, wire.AnyToken, s.rateLimitInfo)}
}

// rateLimit is the number of requests that an account has left, as JSON.
type rateLimit struct {
	Remaining int `json:"remaining"`
}

// rates counts the requests of each account. Used requests become available again
// at a steady rate, all of them within an hour.
type rates struct {
	perHour int
	mu      sync.Mutex // guards account
	account map[renga.AccountID]*rate.Limiter
}

func newRates(perHour int) *rates {
	return &rates{perHour: cmp.Or(perHour, 4500), account: map[renga.AccountID]*rate.Limiter{}}
}

func (l *rates) of(id renga.AccountID) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.account[id]
	if !ok {
		one = rate.NewLimiter(rate.Limit(float64(l.perHour)/time.Hour.Seconds()), l.perHour)
		l.account[id] = one
	}
	return one
}

// count counts one request of the caller, and sends the number that is left in the
// RateLimit-Remaining header.
func (s *Server) count(w http.ResponseWriter, r *http.Request) error {
	own, now := s.rates.of(wire.Caller(r).ID), s.Now()
	free := r.URL.Path == rateLimitPath
	allowed := free || own.AllowN(now, 1)
	w.Header().Set("RateLimit-Remaining", strconv.Itoa(left(own, now)))
	if allowed {
		return nil
	}
	return renga.Errorf(
		renga.TooMany,
		"Your account reached the API rate limit. Please wait a few minutes before making new requests.",
	)
}

func left(l *rate.Limiter, now time.Time) int { return max(0, int(l.TokensAt(now))) }

func (s *Server) rateLimitInfo(w http.ResponseWriter, r *http.Request) error {
	return wire.Answer(w, http.StatusOK, rateLimit{Remaining: left(s.rates.of(wire.Caller(r).ID), s.Now())})
}
