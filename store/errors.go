package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"renga"
)

// faults turns how errors of Redis begin into sentences; %s is its address.
var faults = []struct {
	code     string
	kind     renga.Kind
	sentence string
}{
	{"WRONGPASS", renga.Unavailable, "Redis at %s refused the user name or password; correct them in REDIS_URL."},
	{"NOAUTH", renga.Unavailable, "Redis at %s wants a password; put it into REDIS_URL (redis://user:password@host)."},
	{"AUTH", renga.Unavailable, "Redis at %s takes no password, but REDIS_URL has one; remove it there."},
	{"invalid password", renga.Unavailable, "Redis at %s refused the user name or password; correct them in REDIS_URL."},
	{"NOPERM", renga.Unavailable, "Redis at %s does not allow Renga's user what it needs; allow it ~renga:* +@read " +
		"+@write +@transaction +@connection."},
	{"LOADING", renga.Unavailable, "Redis at %s is still loading its data; try again in a moment."},
	{
		"READONLY", renga.Unavailable, "Redis at %s is a read-only replica; let REDIS_URL name the primary or the Sentinels.",
	},
	{"NOREPLICAS", renga.Unavailable, "Redis at %s refuses writes because too few of its replicas are up."},
	{"OOM", renga.Unavailable, "Redis at %s has used up its memory; raise its maxmemory."},
	{"MASTERDOWN", renga.Unavailable, "Redis at %s has lost its primary; try again once it has one."},
	{"CLUSTERDOWN", renga.Unavailable, "The Redis Cluster at %s is down: some of its slots are served by no node."},
	{"TRYAGAIN", renga.Unavailable, "The Redis Cluster at %s is moving slots; try again in a moment."},
	{"max number of clients", renga.Unavailable, "Redis at %s has no connection left; raise its maxclients."},
	{
		"DB index is out of range", renga.Unavailable, "Redis at %s has no database of that number; correct it in REDIS_URL.",
	},
}

// explain turns a fault into an error that a user may read. Errors that are
// one already, such as those of an edit, pass as they are.
func (s *Store) explain(op string, err error) error {
	var told *renga.Error
	if errors.As(err, &told) {
		return err
	}
	kind, sentence := s.diagnose(err)
	if sentence == "" {
		return fmt.Errorf("%s: %w", op, err)
	}
	return &renga.Error{Kind: kind, Message: sentence, Err: fmt.Errorf("%s: %w", op, err)}
}

// diagnose finds the sentence for a fault of Redis; empty when it is none.
func (s *Store) diagnose(err error) (renga.Kind, string) {
	reply := replyText(err)
	if strings.HasPrefix(reply, "MISCONF") {
		return s.diagnoseDisk(reply)
	}
	for _, f := range faults {
		if strings.HasPrefix(reply, f.code) {
			return f.kind, fmt.Sprintf(f.sentence, s.where)
		}
	}
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return renga.Unavailable, fmt.Sprintf("The TLS certificate of Redis at %s is not trusted (%v); name its authority "+
			"in SSL_CERT_FILE.", s.where, untrusted.Err)
	case errors.As(err, &plain):
		return renga.Unavailable, fmt.Sprintf("What answers at %s does not speak TLS; for a Redis without it REDIS_URL "+
			"begins with redis:// instead of rediss://.", s.where)
	case errors.Is(err, redis.Nil) && !missing(err):
		return renga.Unavailable, fmt.Sprintf("No primary is known for %s; correct its name in REDIS_URL.", s.where)
	case isAway(err):
		return renga.Unavailable, fmt.Sprintf("Redis at %s does not answer (%s); it is tried again with each request.",
			s.where, reason(err))
	}
	return renga.Internal, ""
}

// diagnoseDisk tells a full disk from other trouble with writing.
func (s *Store) diagnoseDisk(reply string) (renga.Kind, string) {
	if strings.Contains(reply, "No space left") {
		return renga.NoSpace, fmt.Sprintf("The disk of Redis at %s is full; make room there.", s.where)
	}
	return renga.Unavailable, fmt.Sprintf("Redis at %s cannot write to its disk and refuses changes; its log says why.",
		s.where)
}

// isAway tells whether err means that no answer came.
func isAway(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) ||
		errors.Is(err, redis.ErrClosed) || errors.Is(err, net.ErrClosed)
}

// reason names the kind of silence in a few words.
func reason(err error) string {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, os.ErrNotExist):
		return "no such socket"
	case errors.Is(err, os.ErrPermission):
		return "permission denied"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return "all connections busy"
	case errors.Is(err, redis.ErrClosed):
		return "closed by Renga"
	}
	return "connection lost"
}

// replied tells whether err is an answer of Redis: then nothing was done, for
// certain.
func replied(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// replyText is what Redis answered, from the code on; empty when err is no
// answer of Redis's.
func replyText(err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return ""
	}
	text := strings.TrimPrefix(reply.Error(), "EXECABORT Transaction discarded because of: ")
	return strings.TrimPrefix(text, "ERR ")
}
