package structs

import "google.golang.org/protobuf/types/known/structpb"

// Name returns the name of an object.
func Name(o *structpb.Struct) string { return Text(o, "metadata", "name") }

// Namespace returns the namespace of an object.
func Namespace(o *structpb.Struct) string { return Text(o, "metadata", "namespace") }

// Label returns a label of an object.
func Label(o *structpb.Struct, name string) string { return Text(o, "metadata", "labels", name) }

// Annotation returns an annotation of an object.
func Annotation(o *structpb.Struct, name string) string {
	return Text(o, "metadata", "annotations", name)
}

// A Controller is the object that another one belongs to.
type Controller struct {
	Kind, Name, UID string
}

// ControllerOf returns the controller of an object, or nil.
func ControllerOf(o *structpb.Struct) *Controller {
	for _, r := range Objects(o, "metadata", "ownerReferences") {
		if At(r, "controller").GetBoolValue() {
			return &Controller{Kind: Text(r, "kind"), Name: Text(r, "name"), UID: Text(r, "uid")}
		}
	}
	return nil
}
