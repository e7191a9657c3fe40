package observe

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dittofs/function-dittoserver/apis/v1alpha1"
	"github.com/dittofs/function-dittoserver/internal/dittofs"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// ValidateChange returns what is wrong with a DittoServer that would be right for
// a new server, but not for the one that exists.
func ValidateChange(xr *Composite, have *Composed) field.ErrorList {
	spec := field.NewPath("spec")
	errs := field.ErrorList{}

	if have.PerconaOwner != "" && have.PerconaOwner == string(xr.GetUID()) && !xr.Spec.Percona.Enabled {
		name := manifests.PerconaName(xr.DittoServer)
		errs = append(errs, field.Invalid(spec.Child("percona", "enabled"), false, fmt.Sprintf(
			"would delete PerconaPGCluster %q with its data. To keep it, take its metadata.ownerReferences away, after which Crossplane 2.4 or later leaves it alone; to lose it, delete it yourself. Until then set enabled to true", name)))
	}

	if have.StatefulSet == nil {
		return errs
	}
	if have.StatefulSet.Keytab && xr.Spec.Identity.Kerberos == nil {
		errs = append(errs, field.Required(spec.Child("identity", "kerberos"),
			"the running server keeps in its database that Kerberos is on, and does not start without the keytab. "+
				"Keep the block with its references, turn Kerberos off through the server's API, and then leave of the block just enabled: false"))
	}
	if !have.StatefulSet.Immutable.HasContent() {
		const why = "the running server has no volume there: contentSize was not set when it was created. Choose another directory"
		if xr.Spec.Database.Type == v1alpha1.DatabaseSQLite && inContent(xr.Spec.Database.SQLite.Path) {
			errs = append(errs, field.Invalid(spec.Child("database", "sqlite", "path"), xr.Spec.Database.SQLite.Path, why))
		}
		if inContent(xr.Spec.Logging.Output) {
			errs = append(errs, field.Invalid(spec.Child("logging", "output"), xr.Spec.Logging.Output, why))
		}
	}
	return errs
}

func inContent(file string) bool { return strings.HasPrefix(file, dittofs.ContentDir+"/") }
