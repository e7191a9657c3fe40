package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/errors"
)

// pendingVersion is the first frame of a pending hash.
const pendingVersion = "dittofs.io/pending-hash/v1"

// Pending returns a digest of the wanted pod template while it waits for the user, and
// nothing otherwise. It makes a good restartToken: it differs for each change that waits,
// and stays the same meanwhile. The template names the present restartToken, so the
// digest is another one if a change comes back that was made before.
func Pending(template *structpb.Value, d Decision) (string, error) {
	if d.Reason != ManualPolicy {
		return "", nil
	}
	b, err := json.Marshal(template.AsInterface()) // Keys of a map are written in order.
	if err != nil {
		return "", errors.Wrap(err, "cannot write the pod template in a canonical form")
	}
	h := framer{sha256.New()}
	h.frame([]byte(pendingVersion))
	h.frame(b)
	return hex.EncodeToString(h.Sum(nil)), nil
}
