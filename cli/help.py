"""`relex help`: the help of relex or of one command."""

import click


@click.command("help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of relex, or of one of its commands.

    Example: relex help models import
    """
    ctx = ctx.find_root()
    for word in words:
        if not isinstance(ctx.command, click.Group):
            raise click.UsageError(f"`{ctx.command_path}` has no command {word!r}", ctx)
        name, command, _ = ctx.command.resolve_command(ctx, [word])
        if command is None:
            raise click.UsageError(f"no such command {word!r}", ctx)
        ctx = click.Context(command, ctx, name, max_content_width=ctx.max_content_width)
    click.echo(ctx.get_help())
