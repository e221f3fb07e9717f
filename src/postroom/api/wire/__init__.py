"""Wire structs: what travels as JSON, in the vendor's field names, one file a resource."""
