package releases

import (
	"context"
	"net/http"
	"strconv"

	"renga"
	"renga/api/wire"
)

func (s *Server) listReleases(w http.ResponseWriter, r *http.Request) error {
	a, err := s.AppOf(r)
	if err != nil {
		return err
	}
	sp, err := wire.ParseRange(r.Header.Get("Range"), "version", "id")
	if err != nil {
		return err
	}
	records, more, err := s.releasePage(r.Context(), a.ID, sp)
	if err != nil {
		return err
	}
	page, err := s.showReleases(r.Context(), a, records)
	if err != nil {
		return err
	}
	var first, last string
	if len(records) > 0 {
		first, last = releaseMark(sp, records[0]), releaseMark(sp, records[len(records)-1])
	}
	return wire.ReplyPage(w, page, sp, first, last, more, "version", "id")
}

// releaseMark is what a page's end says of a release.
func releaseMark(sp wire.Span, rec renga.ReleaseRecord) string {
	if sp.Field == "id" {
		return wire.ReleaseID(rec.App, rec.Version)
	}
	return strconv.Itoa(rec.Version)
}

// releasePage reads the releases that a span asks for, and one more to see
// whether there is one.
func (s *Server) releasePage(
	ctx context.Context, app renga.AppID, sp wire.Span,
) (page []renga.ReleaseRecord, more bool, err error) {
	q, some, err := s.releaseQuery(ctx, app, sp)
	if err != nil || !some {
		return nil, false, err
	}
	page, err = s.parts.Releases.Releases(ctx, app, q)
	if err != nil {
		return nil, false, err
	}
	if len(page) > sp.Max {
		return page[:sp.Max], true, nil
	}
	return page, false, nil
}

// releaseQuery turns a span's ends into versions. Ordered by id means ordered
// by version too: the ids' own order would say nothing, and would make every
// page read all. some is false when nothing can lie between the ends.
func (s *Server) releaseQuery(
	ctx context.Context, app renga.AppID, sp wire.Span,
) (q renga.ReleaseQuery, some bool, err error) {
	q = renga.ReleaseQuery{Descending: sp.Desc, Max: sp.Max + 1}
	if sp.From.Value != "" {
		if q.From, err = s.boundVersion(ctx, app, sp.Field, sp.From.Value); err != nil {
			return q, false, err
		}
		if sp.From.Exclusive {
			q.From++
		}
	}
	if sp.To.Value == "" {
		return q, true, nil
	}
	if q.To, err = s.boundVersion(ctx, app, sp.Field, sp.To.Value); err != nil {
		return q, false, err
	}
	if sp.To.Exclusive {
		q.To--
	}
	// To 0 would leave the end open, and means that nothing is asked for.
	return q, q.To > 0 && q.From <= q.To, nil
}

func (s *Server) boundVersion(ctx context.Context, app renga.AppID, field, value string) (int, error) {
	if field == "id" && !wire.IsUUID(value) {
		return 0, wire.BadRequest("Invalid Range header: %q is no id of a release.", wire.Clip(value))
	}
	if field == "version" {
		version, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return 0, wire.BadRequest("Invalid Range header: %q is no version of a release.", wire.Clip(value))
		}
		return int(version), nil
	}
	version, err := s.VersionOf(ctx, app, value)
	if renga.KindOf(err) == renga.NotFound {
		return 0, wire.BadRequest("Invalid Range header: %q is no id of a release of this app.", wire.Clip(value))
	}
	return version, err
}

// showReleases completes records for the wire.
func (s *Server) showReleases(ctx context.Context, a renga.App, records []renga.ReleaseRecord) ([]release, error) {
	page, known := make([]release, 0, len(records)), s.People()
	for _, rec := range records {
		shown, err := s.showRelease(ctx, a, rec, known)
		if err != nil {
			return nil, err
		}
		page = append(page, shown)
	}
	return page, nil
}
