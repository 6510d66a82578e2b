# fish completion of sslm-mgr(1): options, and the services that conf.d has.

function __sslm_mgr_services
    set -l name '[A-Za-z0-9][A-Za-z0-9._-]*'
    # What is there already of group:service,service
    set -l begun (string match -r "^($name):(.*,)?" -- (commandline -ct))
    for dir in $SSL_MGR_TOPDIR . /etc/ssl-mgr
        test -d $dir/conf.d
        or continue
        if set -q begun[1]
            set -q begun[3]
            or echo $begun[1]ALL
            for path in $dir/conf.d/$begun[2]/*
                test -f $path
                and echo $begun[1](string match -r "(?<=/)$name\$" -- $path)
            end
        else
            for path in $dir/conf.d/*/
                string match -r "(?<=/)$name(?=/\$)" -- $path
            end
            for path in $dir/conf.d/*/*
                test -f $path
                and string match -r "(?<=/)$name/$name\$" -- $path
            end
        end
        return
    end
end

complete -c sslm-mgr -f
complete -c sslm-mgr -n 'not __fish_seen_subcommand_from init' -a '(__sslm_mgr_services)'
complete -c sslm-mgr -n '__fish_is_first_token' -a dev -d 'single steps'
complete -c sslm-mgr -n '__fish_is_first_token' -a init -d 'a new site'
complete -c sslm-mgr -n '__fish_is_first_token' -a import -d 'take over what others have made'
complete -c sslm-mgr -n '__fish_seen_subcommand_from init import' -a '(__fish_complete_directories)'
complete -c sslm-mgr -o clean-all -d 'prune every group'
complete -c sslm-mgr -o clean-keep -x -d 'prune, and keep so many sets'
complete -c sslm-mgr -s d -o debug -d 'say what would be done'
complete -c sslm-mgr -o dns -d 'tell the name server of the zones'
complete -c sslm-mgr -s f -o force -d 'due or not; do not wait'
complete -c sslm-mgr -s h -o help -d usage
complete -c sslm-mgr -s n -o dry-run -d 'try a renewal with staging CAs'
complete -c sslm-mgr -s r -o reuse -d 'keep the key'
complete -c sslm-mgr -o renew -d 'make next for what is due'
complete -c sslm-mgr -o roll -d 'next becomes curr'
complete -c sslm-mgr -o roll-mins -x -d 'how long next has to wait'
complete -c sslm-mgr -s s -o status -d 'print all certificates'
complete -c sslm-mgr -s t -o test -d 'in the test tree'
complete -c sslm-mgr -s v -o verb -d 'say more'
complete -c sslm-mgr -s V -o version -d version
complete -c sslm-mgr -s w -o wait -d 'wait for another run'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o cert -d 'sign and complete next'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o certs-prod -d 'bring to production'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o copy -d 'a new next with the key in use'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o csr -d 'the request of next'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o fsr -d 'copy, and reload servers, once more'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o keys -d 'a new next with a new key'
complete -c sslm-mgr -n '__fish_seen_subcommand_from dev' -o ntoc -d 'next becomes curr, here alone'
