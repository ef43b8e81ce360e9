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
		first, last = rangeKey(sp, records[0]), rangeKey(sp, records[len(records)-1])
	}
	return wire.ReplyPage(w, page, sp, first, last, more, "version", "id")
}

// rangeKey gives the value of the range's field for a release.
func rangeKey(sp wire.Span, rec renga.ReleaseRecord) string {
	if sp.Field == "id" {
		return wire.ReleaseID(rec.App, rec.Version)
	}
	return strconv.Itoa(rec.Version)
}

// releasePage reads the releases of a span, and one more to find out whether others
// follow.
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

// releaseQuery turns a span's ends into versions. Ordered by id means ordered by
// version too, because the order of the ids tells nothing and would make every page
// read all releases. some is false if nothing lies between the ends.
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
	// no version is below 1, and a query with To 0 has no upper end
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

// showReleases makes JSON of records.
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
