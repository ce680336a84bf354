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
package io.stowage.common.data;

import io.netty.buffer.ByteBuf;

/**
 * One message of the data plane as it came in.
 *
 * @param header a DataRequest or DataReply
 * @param payload raw bytes behind it, maybe none; the receiver owns one reference
 */
public record DataFrame<M>(M header, ByteBuf payload) {}
