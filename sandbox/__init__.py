"""The simulated EHRs: a SMART authorization server, a FHIR R4 store and a chart page for each of them."""
