"""The objects of AsyncAPI 3.0 that our document uses, member by member as the specification names them. No rules of ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[\w.\-]+$")]
"""Keys of components and of maps of channels and operations."""


class SpecObject(BaseModel):
    """An object whose members are all named by the specification."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Reference(SpecObject):
    """A Reference Object: where in this document the thing is."""

    ref: str = Field(alias="$ref", pattern=r"^#/")


class Info(SpecObject):
    """The Info Object."""

    title: str
    version: str
    description: str | None = None


class ServerVariable(SpecObject):
    """The Server Variable Object."""

    default: str | None = None
    description: str | None = None


class Server(SpecObject):
    """The Server Object."""

    host: str
    protocol: str
    variables: dict[Name, ServerVariable] = {}
    security: list[Reference] = []


class Parameter(SpecObject):
    """The Parameter Object."""

    description: str | None = None


class WebSocketChannelBinding(SpecObject):
    """The WebSockets Channel Binding Object, 0.1.0."""

    method: Literal["GET", "POST"]
    binding_version: Literal["0.1.0"] = Field(alias="bindingVersion")


class ChannelBindings(SpecObject):
    """The Channel Bindings Object."""

    ws: WebSocketChannelBinding


class Channel(SpecObject):
    """The Channel Object."""

    address: str | None = None
    description: str | None = None
    messages: dict[Name, Reference]
    parameters: dict[Name, Parameter] = {}
    bindings: ChannelBindings | None = None


class Reply(SpecObject):
    """The Operation Reply Object."""

    channel: Reference | None = None
    messages: list[Reference] = []


class Operation(SpecObject):
    """The Operation Object."""

    action: Literal["send", "receive"]
    channel: Reference
    summary: str | None = None
    messages: list[Reference] = []
    reply: Reply | None = None


class Message(SpecObject):
    """The Message Object; its payload is a JSON Schema."""

    payload: dict[str, Any]
    summary: str | None = None


class SecurityScheme(SpecObject):
    """The Security Scheme Object of a key in the address."""

    type: Literal["httpApiKey"]
    name: str
    location: Literal["query", "header", "cookie"] = Field(alias="in")
    description: str | None = None


class Components(SpecObject):
    """The Components Object."""

    messages: dict[Name, Message]
    schemas: dict[Name, dict[str, Any]]
    security_schemes: dict[Name, SecurityScheme] = Field(alias="securitySchemes")


class AsyncApi(SpecObject):
    """The AsyncAPI Object, the root."""

    asyncapi: Literal["3.0.0"]
    info: Info
    default_content_type: str | None = Field(None, alias="defaultContentType")
    servers: dict[Name, Server] = {}
    channels: dict[Name, Channel] = {}
    operations: dict[Name, Operation] = {}
    components: Components
