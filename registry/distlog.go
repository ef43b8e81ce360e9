package registry

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/sirupsen/logrus"
)

// adaptDistributionLog sends what distribution logs to log. Distribution takes
// no logger; it writes to logrus' standard logger, which is global. Nothing
// else in Renga uses logrus.
func adaptDistributionLog(log *slog.Logger) {
	std := logrus.StandardLogger()
	std.SetOutput(io.Discard)
	std.SetFormatter(noFormat{})
	std.SetLevel(logrus.WarnLevel)
	std.ReplaceHooks(logrus.LevelHooks{})
	std.AddHook(logrusBridge{log})
}

// noFormat saves the work of formatting what is discarded.
type noFormat struct{}

// Format gives nothing.
func (noFormat) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

type logrusBridge struct{ log *slog.Logger }

// Levels are all.
func (logrusBridge) Levels() []logrus.Level { return logrus.AllLevels }

// keptFields are the fields worth a line. Request URIs are left out: they hold
// the signed state of uploads.
var keptFields = []string{
	"http.request.method", "http.response.status", "vars.name", "vars.reference", "vars.digest",
	"err.code", "err.message", "err.detail", "error",
}

// Fire writes one line of distribution's. Answers below 500 go to debug: every
// missing blob of an ordinary push would otherwise be an error.
func (b logrusBridge) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	status, _ := e.Data["http.response.status"].(int)
	switch {
	case status > 0 && status < http.StatusInternalServerError:
	case e.Level <= logrus.ErrorLevel:
		level = slog.LevelError
	case e.Level == logrus.WarnLevel:
		level = slog.LevelWarn
	}
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	if !b.log.Enabled(ctx, level) {
		return nil
	}
	args := []any{"text", e.Message}
	for _, name := range keptFields {
		if v, ok := e.Data[name]; ok {
			args = append(args, name, v)
		}
	}
	b.log.Log(ctx, level, "distribution", args...)
	return nil
}
