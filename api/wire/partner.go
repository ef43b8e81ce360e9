package wire

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"renga"
)

// admitPartner turns the partner of an add-on away from everything but that add-on.
func admitPartner(r *http.Request, asked Policy) error {
	own, is := PartnerOf(r)
	if !is || asked.partner && strings.EqualFold(mux.Vars(r)["addon"], string(own)) {
		return nil
	}
	return renga.Errorf(renga.Forbidden, "This token is of the partner that provides the add-on %s: it reaches that one, by "+
		"its id, and nothing else.", own)
}

// PartnerOf is the add-on whose partner makes a request, if one does.
func PartnerOf(r *http.Request) (renga.AddOnID, bool) {
	id := InfoOf(r).Bearer.Authorization.AddOn
	return id, id != ""
}
