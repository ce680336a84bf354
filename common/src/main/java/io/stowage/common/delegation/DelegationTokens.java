/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.common.delegation;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.CancelTokenReply;
import io.stowage.common.proto.CancelTokenRequest;
import io.stowage.common.proto.IssueTokenReply;
import io.stowage.common.proto.IssueTokenRequest;
import io.stowage.common.proto.RenewTokenReply;
import io.stowage.common.proto.RenewTokenRequest;

/**
 * Makes and ends delegation tokens; object managers serve it beside the namespace, to callers with
 * tickets. Messages and their rules are in delegation.proto. Blocking; thread-safe.
 */
public interface DelegationTokens {
  IssueTokenReply issueToken(IssueTokenRequest request) throws StoreException;

  RenewTokenReply renewToken(RenewTokenRequest request) throws StoreException;

  CancelTokenReply cancelToken(CancelTokenRequest request) throws StoreException;
}
