"""Use of clinical data: requests bound to a purpose, counts that can be shared, exports that honour consent."""
