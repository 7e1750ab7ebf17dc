"""An MCP server that says in its own words what is wrong with the arguments of a tool."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, Tool
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from relance.config.finding import close, findings

__all__ = ["ToolServer"]


class ToolServer(MCPServer[Any]):
    """The SDK's server, which passes on pydantic's words, and over arguments that a tool does not have."""

    async def list_tools(self) -> list[Tool]:
        """List the tools; arguments that a schema does not have are refused."""
        return [tool.model_copy(update={"input_schema": tool.input_schema | {"additionalProperties": False}})
                for tool in await super().list_tools()]  # fmt: skip

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; ToolError names each argument that is wrong, and what it may be."""
        tools = {tool.name: tool.input_schema["properties"] for tool in await self.list_tools()}
        if name not in tools:
            meant = close(name, tools)
            hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(tools)}"
            raise ToolError(f"there is no tool {name[:100]!r}; {hint}")
        fields = {each: FieldInfo(description=schema.get("description")) for each, schema in tools[name].items()}
        wrong: list[Any] = [{"type": "extra_forbidden", "loc": (key,)} for key in arguments if key not in fields]
        try:
            if not wrong:
                return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ToolError):
                raise error.__cause__ from None  # without "Error executing tool search: "
            if not isinstance(error.__cause__, ValidationError):
                raise
            wrong = error.__cause__.errors()
        raise ToolError("\n".join(f"{field}: {said}" for field, said in findings(wrong, fields, json=True)))
